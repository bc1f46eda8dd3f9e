import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "../generated/client";

// Prisma's URLs have parameters that the PostgreSQL driver does not know: the size of the pool and how long to wait for it.
export function poolOptions(url: string) {
  const parsed = new URL(url);
  const parameter = (name: string) => Number(parsed.searchParams.get(name)) || undefined;
  const options = { max: parameter("connection_limit"), connectionTimeoutMillis: (parameter("pool_timeout") ?? 10) * 1000 };
  for (const name of ["connection_limit", "pool_timeout", "schema"]) parsed.searchParams.delete(name);
  // RDS requires TLS. "require" encrypts, as it does for libpq; the driver alone would verify the certificate.
  if (parsed.searchParams.get("sslmode") === "require") parsed.searchParams.set("uselibpqcompat", "true");
  return { connectionString: parsed.toString(), ...options };
}

export const connect = () => new PrismaClient({ adapter: new PrismaPg(poolOptions(process.env.DATABASE_URL ?? "")) });
