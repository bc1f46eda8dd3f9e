import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { SpanKind } from "@opentelemetry/api";
import { onStop } from "./stop";
import { report, startTelemetry, stopTelemetry, traced } from "./telemetry";

startTelemetry("balancer-worker");
const queue = new SQSClient({});
const QueueUrl = process.env.SQS_BACKGROUND_JOB_QUEUE_URL;
const polling = new AbortController();

const work = (async () => {
  while (!polling.signal.aborted) {
    const { Messages = [] } = await queue
      .send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MaxNumberOfMessages: 10 }), { abortSignal: polling.signal })
      .catch((error) => {
        if (polling.signal.aborted) return { Messages: [] };
        report(error);
        throw error;
      });
    for (const message of Messages) {
      // A job that fails, which traced reports, is not deleted: the queue delivers it again, and moves it to the dead letters
      // after its last try.
      await traced("job", SpanKind.CONSUMER, async () => {
        console.log(JSON.stringify({ level: "info", message: "job", id: message.MessageId }));
        await queue.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
      }).catch(() => {});
    }
  }
})().catch(async () => {
  // Without its queue, which has been reported, the worker ends: ECS starts another one. Sentry's handlers would end it with 0.
  await stopTelemetry();
  process.exit(1);
});

// Takes no new jobs, and finishes the current ones.
onStop(async () => {
  polling.abort();
  await work;
  await stopTelemetry();
});
