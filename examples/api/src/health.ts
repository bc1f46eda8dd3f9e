// The responses that the load balancer and the deployer request.
export function health(): Response {
  const memory = process.memoryUsage();
  return Response.json({
    status: "healthy",
    uptime: Math.round(process.uptime()),
    memory: { used: toMegabytes(memory.heapUsed), total: toMegabytes(memory.rss) },
  });
}

export async function ready(database: () => Promise<unknown>): Promise<Response> {
  try {
    await database();
    return Response.json({ status: "ready", database: "connected" });
  } catch {
    // The reason may name the database's user; it belongs in the log of the database's client, not here.
    return Response.json({ status: "not ready", database: "unreachable" }, { status: 503 });
  }
}

const toMegabytes = (bytes: number) => Math.round(bytes / 1024 / 1024);
