/** What keeps this process alive: for tests that something ended what it started. */

interface Report {
  readonly workers: readonly unknown[];
}

/** Worker threads of this process that have not ended. */
export function workersAlive(): number {
  return (process.report.getReport() as unknown as Report).workers.length;
}

/** Timers, sockets and the like that hold the event loop. */
export function handlesAlive(): readonly string[] {
  return process.getActiveResourcesInfo().filter((name) => /Timeout|TCP|TLS/.test(name));
}
