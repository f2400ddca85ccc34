import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type PostgresServer, type ServerSettings } from '../../embedded';

export interface ServerPlan {
  major: number;
  /** All else is as initdb leaves it. */
  settings: ServerSettings;
}

/** A source and a target in a directory of their own. */
export interface BenchServers {
  readonly directory: string;
  readonly source: PostgresServer;
  readonly target: PostgresServer;
}

/** Runs `work` between two servers, and takes away all of it at the end, also after Ctrl-C. */
export async function withServers<T>(
  plan: { source: ServerPlan; target: ServerPlan },
  work: (servers: BenchServers, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'flexlift-bench-'));
  // The servers run as another user where we are root.
  chmodSync(directory, 0o711);
  const interrupted = new AbortController();
  const onSignal = () => interrupted.abort(new Error('interrupted'));
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal);
  const servers: PostgresServer[] = [];
  try {
    const start = async (name: 'source' | 'target') => {
      const server = await createServer({ ...plan[name], directory: join(directory, name) });
      servers.push(server);
      await server.start();
      return server;
    };
    const source = await start('source');
    const target = await start('target');
    return await work({ directory, source, target }, interrupted.signal);
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, onSignal);
    for (const server of servers) await server.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}
