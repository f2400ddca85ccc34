import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withConnection } from '../../../postgres/connect';
import type { ServerContext } from '../../../postgres/validate/rule';
import { snapshotAge } from '../../../postgres/validate/rules/snapshot-age';
import { createOwnServer, ownEndpoint } from '../../support/own-server';

it('refuses a source that gives snapshots up', async () => {
  const root = mkdtempSync(join(tmpdir(), 'flexlift-snapshot-age-'));
  // the server may run as another user
  chmodSync(root, 0o711);
  const server = await createOwnServer({
    major: 14,
    directory: join(root, 'server'),
    settings: { old_snapshot_threshold: '90min' },
  });
  try {
    await server.start();
    const found = await withConnection(
      ownEndpoint(server, 'flexlift-test'),
      'postgres',
      AbortSignal.timeout(20_000),
      (client) => snapshotAge.check({ source: { client } } as ServerContext),
    );
    expect(found).toMatchObject([
      { state: 'Failed', message: expect.stringContaining('after 90min (old_snapshot_threshold)') as string },
    ]);
  } finally {
    await server.kill();
    rmSync(root, { recursive: true, force: true });
  }
});
