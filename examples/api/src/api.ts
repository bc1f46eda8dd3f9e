import { connect } from "./database";
import { health, ready } from "./health";
import { onStop } from "./stop";
import { request, startTelemetry, stopTelemetry } from "./telemetry";

startTelemetry("balancer-api");
const prisma = connect();

const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  // Longer than the load balancer's idle timeout of 60 s; otherwise some requests fail with 502.
  idleTimeout: 65,
  routes: {
    // The load balancer's checks are not traced: they would be most of the traces.
    "/health": () => health(),
    "/health/ready": () => ready(() => prisma.$queryRaw`SELECT 1`),
    "/graphql": request("/graphql", async () =>
      Response.json({ errors: [{ message: "the schema of the application goes here" }] }, { status: 501 }),
    ),
  },
  fetch: () => new Response("not found", { status: 404 }),
});
console.log(JSON.stringify({ level: "info", message: `listening on ${server.port}` }));

onStop(async (signal) => {
  console.log(JSON.stringify({ level: "info", message: `stopping after ${signal}` }));
  await server.stop();
  await Promise.all([prisma.$disconnect(), stopTelemetry()]);
});
