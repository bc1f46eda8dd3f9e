import { expect, test } from "bun:test";

// Starts the worker with a queue and a Sentry of the test.
function start(answer: (operation: string, input: Record<string, unknown>) => Response | Promise<Response>) {
  const events: string[] = [];
  const server = Bun.serve({
    port: 0,
    idleTimeout: 60,
    fetch: async (request) => {
      const operation = request.headers.get("x-amz-target")?.replace("AmazonSQS.", "");
      if (operation) return answer(operation, (await request.json()) as Record<string, unknown>);
      events.push(await request.text());
      return Response.json({});
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  const worker = Bun.spawn(["bun", "src/worker.ts"], {
    cwd: `${import.meta.dir}/..`,
    env: {
      PATH: process.env.PATH,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_ENDPOINT_URL: url,
      SQS_BACKGROUND_JOB_QUEUE_URL: `${url}/queue`,
      SENTRY_DSN: `http://key@127.0.0.1:${server.port}/1`,
    },
    stderr: "pipe",
  });
  return { worker, server, events };
}

const refused = (code: string) => Response.json({ __type: `com.amazonaws.sqs#${code}`, message: code }, { status: 400 });

test("a worker without its queue reports it and fails", async () => {
  const { worker, server, events } = start(() => refused("AccessDenied"));
  expect(await worker.exited).toBe(1);
  expect(await new Response(worker.stderr).text()).toContain('"message":"AccessDenied"');
  expect(events.join()).toContain("AccessDenied");
  server.stop(true);
}, 20_000);

test("a job that fails stays in the queue, and the next ones are done", async () => {
  const done: unknown[] = [];
  let last = () => {};
  const all = new Promise<void>((resolve) => (last = resolve));
  let received = 0;
  const md5 = (text: string) => new Bun.CryptoHasher("md5").update(text).digest("hex");
  const message = (id: string) => ({ MessageId: id, ReceiptHandle: id, Body: id, MD5OfBody: md5(id) });
  const { worker, server, events } = start(async (operation, input) => {
    if (operation === "ReceiveMessage") {
      received++;
      if (received > 2) await Bun.sleep(30_000); // no more messages
      return Response.json({ Messages: received === 1 ? [message("bad"), message("good")] : [message("later")] });
    }
    if (input.ReceiptHandle === "bad") return refused("ReceiptHandleIsInvalid");
    done.push(input.ReceiptHandle);
    if (done.length === 2) last();
    return Response.json({});
  });
  await Promise.race([all, worker.exited]);
  expect(done).toEqual(["good", "later"]);
  worker.kill("SIGTERM");
  expect(await worker.exited).toBe(0);
  expect(events.join()).toContain("ReceiptHandleIsInvalid");
  server.stop(true);
}, 20_000);
