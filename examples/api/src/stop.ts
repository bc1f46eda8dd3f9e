// ECS sends SIGTERM and, 30 seconds later, SIGKILL; the load balancer has stopped sending requests by then.
export function onStop(stop: (signal: string) => Promise<void>): void {
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, async () => {
      if (stopping) return;
      stopping = true;
      await stop(signal);
      process.exit(0);
    });
  }
}
