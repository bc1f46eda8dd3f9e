import { PrismaClient } from "@prisma/client";
import { health, ready } from "./health";
import { onStop } from "./stop";

const prisma = new PrismaClient();

const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  // Longer than the load balancer's idle timeout of 60 s; otherwise some requests fail with 502.
  idleTimeout: 65,
  routes: {
    "/health": () => health(),
    "/health/ready": () => ready(() => prisma.$queryRaw`SELECT 1`),
    "/graphql": () => Response.json({ errors: [{ message: "the schema of the application goes here" }] }, { status: 501 }),
  },
  fetch: () => new Response("not found", { status: 404 }),
});
console.log(JSON.stringify({ level: "info", message: `listening on ${server.port}` }));

onStop(async (signal) => {
  console.log(JSON.stringify({ level: "info", message: `stopping after ${signal}` }));
  await server.stop();
  await prisma.$disconnect();
});
