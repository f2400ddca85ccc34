import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresServer } from '../../embedded';
import { runAs, serverUser } from '../../embedded/server-user';
import { createOwnServer } from './own-server';
import type { Major } from './servers';

/** A standby that follows the primary, and runs. The primary's binaries are those of an installation, with pg_basebackup. */
export async function standbyOf(
  { binaries, host, port }: PostgresServer,
  standby: { major: Major; directory: string; settings: Record<string, string | boolean | number> },
): Promise<PostgresServer> {
  const server = await createOwnServer(standby);
  const data = join(server.directory, 'data');
  rmSync(data, { recursive: true });
  await runAs(await serverUser(), join(binaries.directory, 'pg_basebackup'), [
    ...['--host', host, '--port', String(port), '--username', 'postgres', '--pgdata', data],
    ...['--write-recovery-conf', '--checkpoint=fast', '--no-sync'],
  ]);
  await server.start();
  return server;
}
