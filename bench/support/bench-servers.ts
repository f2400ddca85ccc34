import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type PostgresServer } from '../../embedded';

/** Of both servers and of all that a benchmark writes: as initdb leaves them, but for what replication needs. */
const SOURCE_SETTINGS = { wal_level: 'logical', max_replication_slots: 20, max_wal_senders: 20 };

/** A source and a target in a directory of their own. */
export interface BenchServers {
  readonly directory: string;
  readonly source: PostgresServer;
  readonly target: PostgresServer;
}

/** Runs `work` between two servers of that major, and takes away all of it at the end, also after Ctrl-C. */
export async function withServers<T>(
  major: number,
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
    const start = async (name: string, settings: Record<string, string | number>) => {
      const server = await createServer({ major, directory: join(directory, name), settings });
      servers.push(server);
      await server.start();
      return server;
    };
    const source = await start('source', SOURCE_SETTINGS);
    const target = await start('target', {});
    return await work({ directory, source, target }, interrupted.signal);
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, onSignal);
    for (const server of servers) await server.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** For the report: what the figures were measured with. */
export function describeServers({ source }: BenchServers): string {
  const settings = Object.entries(SOURCE_SETTINGS).map(([name, value]) => `${name}=${value}`);
  return `PostgreSQL ${source.binaries.version} on both sides, settings as initdb leaves them (fsync on), source ${settings.join(', ')}`;
}
