import { SpanKind } from "@opentelemetry/api";
import { onStop } from "./stop";
import { startTelemetry, stopTelemetry, traced } from "./telemetry";

startTelemetry("balancer-scheduler");
const tick = () => traced("tick", SpanKind.INTERNAL, async () => console.log(JSON.stringify({ level: "info", message: "tick" })));
const everyMinute = setInterval(() => void tick().catch(() => {}), 60_000);

onStop(async () => {
  clearInterval(everyMinute);
  await stopTelemetry();
});
