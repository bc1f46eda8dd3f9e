import { SQL } from "bun";
import { expect, test } from "bun:test";

test("the migrations created the pools", async () => {
  const database = new SQL(process.env.DATABASE_URL!);
  const [{ count }] = await database`SELECT count(*)::int AS count FROM "Pool"`;
  expect(count).toBeGreaterThanOrEqual(0);
  await database.close();
});
