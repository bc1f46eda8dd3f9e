// Errors go to Sentry where SENTRY_DSN is set, traces to the collector where OTEL_EXPORTER_OTLP_ENDPOINT is. Without them,
// nothing is sent: on a developer's machine, and in tests.
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler } from "@opentelemetry/sdk-trace-base";
import * as Sentry from "@sentry/bun";

let provider: BasicTracerProvider | undefined;

export function startTelemetry(service: string): void {
  if (process.env.SENTRY_DSN) {
    Sentry.init({
      dsn: process.env.SENTRY_DSN,
      environment: process.env.SENTRY_ENVIRONMENT ?? process.env.NODE_ENV,
      // Headers and bodies of requests may have credentials.
      sendDefaultPii: false,
      // Traces go to X-Ray; Sentry's own would replace the provider below.
      skipOpenTelemetrySetup: true,
    });
  }
  if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT) {
    provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ "service.name": service }),
      // X-Ray costs by the trace: the same share as the sampling rule of the infrastructure.
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(Number(process.env.OTEL_TRACES_SAMPLER_ARG ?? 0.05)) }),
      spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
    });
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(provider);
  }
}

export function report(error: unknown): void {
  console.error(JSON.stringify({ level: "error", message: error instanceof Error ? error.message : String(error) }));
  Sentry.captureException(error);
}

// traced runs one request, or one job, in a span. An error is reported, and thrown again.
export function traced<T>(name: string, kind: SpanKind, run: () => Promise<T>): Promise<T> {
  return trace.getTracer("balancer-api").startActiveSpan(name, { kind }, async (span) => {
    try {
      const result = await run();
      if (result instanceof Response) span.setAttribute("http.response.status_code", result.status);
      return result;
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      report(error);
      throw error;
    } finally {
      span.end();
    }
  });
}

// request is traced for an HTTP route. Its caller gets a response without the error.
export function request(route: string, handle: (request: Request) => Promise<Response>) {
  return (incoming: Request) =>
    traced(`${incoming.method} ${route}`, SpanKind.SERVER, () => handle(incoming)).catch(() => new Response("internal error", { status: 500 }));
}

// stopTelemetry sends what has not been sent yet, within a limit below ECS's 30 s.
export async function stopTelemetry(): Promise<void> {
  await Promise.allSettled([provider?.shutdown(), Sentry.close(2000)]);
}
