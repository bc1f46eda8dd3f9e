import { expect, test } from "bun:test";
import { poolOptions } from "./database";

test("the pool has the limits of DATABASE_URL, and the driver a URL that it understands", () => {
  expect(poolOptions("postgresql://a:b%40@db:5432/balancer?connection_limit=7&pool_timeout=20&sslmode=require")).toEqual({
    connectionString: "postgresql://a:b%40@db:5432/balancer?sslmode=require&uselibpqcompat=true",
    max: 7,
    connectionTimeoutMillis: 20_000,
  });
  expect(poolOptions("postgresql://a:b@db:5432/balancer?sslmode=verify-full")).toEqual({
    connectionString: "postgresql://a:b@db:5432/balancer?sslmode=verify-full",
    max: undefined,
    connectionTimeoutMillis: 10_000,
  });
});
