import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { DEFAULT_LIMITS, type ServerAddress } from '../../contract';
import {
  ensureTemporalServer,
  killTemporalServer,
  serversDirectory,
  stateDirectory,
  stopTemporalServer,
  type PostgresServer,
} from '../../embedded';
import type { migration } from '../../workflows';
import { countSessions } from '../support/active';
import { TEST_ALL } from '../support/all';
import { eventually } from '../support/eventually';
import { Migrations, testRequest } from '../support/migration';
import { shopLikeSql, SMALL_PARTS } from '../support/shop-like';
import { WorkerProcess } from '../support/worker-process';
import { createOwnServer } from '../support/own-server';

/** Larger than all others, so that its parts are the first; recovery of the target's server empties it. */
const CACHE = `CREATE UNLOGGED TABLE cache AS SELECT id, repeat('c', 200) AS page FROM generate_series(1, 60000) id;
               ANALYZE cache`;

/** Servers of these tests' own: they are stopped in the middle of the work. */
let source: PostgresServer;
let target: PostgresServer;
let directory: string;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  directory = await serversDirectory(`restarts-${process.pid}`);
  const settings = { fsync: false, max_connections: 100 };
  source = await createOwnServer({ major: 14, directory: join(directory, 'source'), settings });
  target = await createOwnServer({ major: 17, directory: join(directory, 'target'), settings });
  await Promise.all([source.start(), target.start()]);
  await withClient(source, 'postgres', (client) => client.query('CREATE DATABASE shop'));
  await withClient(source, 'shop', (client) => client.query(shopLikeSql(60_000)));
  await withClient(source, 'shop', (client) => client.query(CACHE));
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.kill()));
  await target.start();
  await source.start();
  await withClient(target, 'postgres', (client) => client.query('DROP DATABASE IF EXISTS shop'));
});
afterAll(async () => {
  await Promise.all([source.remove(), target.remove()]);
  rmSync(directory, { recursive: true, force: true });
});

function address({ host, port }: PostgresServer): ServerAddress {
  const rest = { user: 'postgres', maintenanceDatabase: 'postgres', sslMode: 'disable' } as const;
  return { host, port, password: { kind: 'none' }, ...rest };
}

async function withClient<T>(
  server: PostgresServer,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({ host: server.host, port: server.port, user: 'postgres', database });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function request() {
  return testRequest(address(source), address(target), {
    databases: ['shop'],
    limits: { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS, copiesAtOnce: 1 },
  });
}

/** Until a part of the unlogged table is copied, and the next one begun. */
async function untilCopying(migrationId: string): Promise<void> {
  await eventually('a copy', async () => {
    const copying = await withClient(target, 'postgres', (client) =>
      countSessions(client, `flexlift:${migrationId}:copyPart:%`),
    );
    if (copying === 0) return false;
    return await withClient(target, 'shop', async (client) => {
      const { rowCount } = await client.query(
        `SELECT FROM flexlift.part JOIN flexlift.table_load USING (table_oid)
          WHERE table_name = 'cache' AND copied_at IS NOT NULL`,
      );
      return rowCount !== 0;
    });
  });
}

const RESTARTS: [string, 'fast' | 'immediate', () => PostgresServer][] = [
  ['the target', 'immediate', () => target],
];
if (TEST_ALL) RESTARTS.push(['the source', 'fast', () => source], ['the target', 'fast', () => target]);

describe.each(RESTARTS)('%s is restarted (%s) in the middle of the copy', (_which, mode, server) => {
  it('ends equal', async () => {
    const migrations = await Migrations.connect();
    try {
      const asked = request();
      const handle = await migrations.start(asked);
      workers.push(WorkerProcess.start({ pool: asked.pool }));
      await untilCopying(asked.migrationId);
      await server().restart(mode);
      expect(await handle.result()).toMatchObject({ state: 'Succeeded', databases: [{ differences: [] }] });
    } finally {
      await migrations.close();
    }
  });
});

describe('Temporal is killed and started on its file', () => {
  it('ends equal', async () => {
    const state = stateDirectory({ ...process.env, FLEXLIFT_STATE_DIR: join(directory, 'state') });
    const { address: temporal, namespace } = await ensureTemporalServer(state);
    let migrations = await Migrations.connect(temporal, namespace);
    try {
      const asked = request();
      const handle = await migrations.start(asked);
      workers.push(
        WorkerProcess.start({
          pool: asked.pool,
          address: temporal,
          environment: { TEMPORAL_NAMESPACE: namespace },
        }),
      );
      await untilCopying(asked.migrationId);
      await killTemporalServer(state);
      await ensureTemporalServer(state);
      await migrations.close();
      migrations = await Migrations.connect(temporal, namespace);
      const again = migrations.client.workflow.getHandle<typeof migration>(handle.workflowId);
      expect(await again.result()).toMatchObject({ state: 'Succeeded', databases: [{ differences: [] }] });
    } finally {
      await migrations.close();
      await stopTemporalServer(state);
    }
  });
});
