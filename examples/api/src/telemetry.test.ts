import { expect, test } from "bun:test";

// Runs the program with a collector and a Sentry of the test, and returns what they received.
async function received(variables: Record<string, string>) {
  const paths: string[] = [];
  const bodies: string[] = [];
  const collector = Bun.serve({
    port: 0,
    fetch: async (request) => {
      paths.push(new URL(request.url).pathname);
      bodies.push(await request.text());
      return Response.json({});
    },
  });
  const code = `
    import { SpanKind } from "@opentelemetry/api";
    import { request, startTelemetry, stopTelemetry } from "./src/telemetry";
    startTelemetry("test");
    const handle = request("/graphql", async () => { throw new Error("broken") });
    console.log((await handle(new Request("http://localhost/graphql?token=hidden"))).status);
    await stopTelemetry();`;
  const child = Bun.spawn(["bun", "-e", code], {
    cwd: `${import.meta.dir}/..`,
    env: {
      PATH: process.env.PATH,
      ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, value.replace("PORT", String(collector.port))])),
    },
    stderr: "pipe",
  });
  const [status, log] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  expect(await child.exited).toBe(0);
  collector.stop(true);
  return { status: status.trim(), log, paths, body: bodies.join("\n") };
}

test("a trace reaches the collector", async () => {
  const { status, paths, body } = await received({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:PORT", OTEL_TRACES_SAMPLER_ARG: "1" });
  expect(status).toBe("500");
  expect(paths).toEqual(["/v1/traces"]);
  expect(body).toContain('"GET /graphql"');
  expect(body).toContain('"service.name"');
  expect(body).not.toContain("hidden");
});

test("an error reaches Sentry", async () => {
  const { paths, body } = await received({ SENTRY_DSN: "http://key@127.0.0.1:PORT/1" });
  expect(paths).toContain("/api/1/envelope/");
  expect(body).toContain("broken");
  expect(body).not.toContain("hidden");
});

test("without variables nothing is sent, and the error is in the log", async () => {
  const { status, log, paths } = await received({ SENTRY_DSN: "" });
  expect(status).toBe("500");
  expect(log).toContain('"message":"broken"');
  expect(paths).toEqual([]);
});
