import { expect, test } from "bun:test";
import { health, ready } from "./health";

test("healthy reports uptime and memory", async () => {
  const answer = health();
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ status: "healthy", memory: { used: expect.any(Number) } });
});

test("ready only with its database", async () => {
  expect((await ready(async () => 1)).status).toBe(200);
  const without = await ready(async () => {
    throw new Error("password authentication failed for user api");
  });
  expect(without.status).toBe(503);
  expect(await without.text()).not.toContain("password");
});
