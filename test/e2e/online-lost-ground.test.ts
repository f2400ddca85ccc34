import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import {
  PAUSE_UPDATE,
  RECOPY_UPDATE,
  STATUS_QUERY,
  type DatabaseStatus,
  type FailureCode,
  type MigrationStatus,
  type RecopyRequest,
} from '../../contract';
import { serversDirectory, type PostgresServer } from '../../embedded';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  expectReleased,
  untilCutOver,
  untilLive,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { untilCaughtUp } from '../support/outages';
import { createOwnServer } from '../support/own-server';
import { useServerAt, withSession } from '../support/servers';
import { standbyOf } from '../support/standby';
import { TcpProxy } from '../support/tcp-proxy';

const SIDES = { source: 15, target: 17 } as const;
const SETTINGS = { fsync: false, wal_level: 'logical', max_connections: 100 };

const copyDirectory = promisify(execFile);

const servers = {} as Record<keyof typeof SIDES, PostgresServer>;
let directory: string;

beforeAll(async () => {
  directory = await serversDirectory(`online-lost-ground-${process.pid}`);
  for (const side of ['source', 'target'] as const) {
    servers[side] = await createOwnServer({
      major: SIDES[side],
      directory: join(directory, side),
      settings: SETTINGS,
    });
    await servers[side].start();
    useServerAt(SIDES[side], servers[side].port);
  }
});

const { shop, startReady } = useOnlineMigrations(SIDES.source, SIDES.target);

afterAll(async () => {
  await Promise.all([servers.source.remove(), servers.target.remove()]);
  rmSync(directory, { recursive: true, force: true });
});

const onSource = (sql: string) =>
  withSession(SIDES.source, shop.database, (client) => client.query<{ is: string }>(sql));

/** What is lost is noticed within seconds; then nothing moves until everything is copied anew, and the end is equal. */
async function expectStoppedUntilRecopied(online: Online, code: FailureCode): Promise<void> {
  const { handle } = online;
  const stopped: DatabaseStatus = await untilReplication(handle, 'Stopped');
  expect(stopped.replication?.failure).toMatchObject({ code });
  expect((await handle.query<MigrationStatus>(STATUS_QUERY)).state).toBe('WaitingForUserAction');
  await handle.executeUpdate<unknown, [RecopyRequest]>(RECOPY_UPDATE, { args: [{}] });
  await untilReplication(handle, 'ReadyForCutover');
  await untilCutOver(handle);
  await expectReleased(shop, online, [SIDES.source, SIDES.target]);
}

describe('a target that is restored to an earlier state', () => {
  itInAll('is noticed, and everything is copied anew', async () => {
    const online = await startReady();
    const data = join(servers.target.directory, 'data');
    await untilCaughtUp(online, SIDES);
    await servers.target.stop();
    await copyDirectory('cp', ['--archive', data, `${data}.earlier`]);
    await servers.target.start();
    await untilCaughtUp(online, SIDES);
    const { lsn } = await untilLive(online.handle, 'figures', () => true);
    await eventually('the source was told of what is lost then', async () => {
      const { rows } = await onSource(
        `SELECT (confirmed_flush_lsn >= '${lsn}')::text AS is FROM pg_replication_slots WHERE NOT temporary`,
      );
      return rows[0]?.is === 'true';
    });
    await servers.target.stop('immediate');
    rmSync(data, { recursive: true });
    renameSync(`${data}.earlier`, data);
    await servers.target.start();
    await expectStoppedUntilRecopied(online, 'TargetRewound');
  });
});

describe('a slot whose WAL the source has removed', () => {
  afterEach(async () => {
    await onSource('ALTER SYSTEM RESET max_slot_wal_keep_size');
    await onSource('SELECT pg_reload_conf()');
  });

  itInAll('is told beforehand, noticed while nobody reads it, and everything is copied anew', async () => {
    const online = await startReady();
    await online.handle.executeUpdate(PAUSE_UPDATE, { args: [{}] });
    await onSource(`ALTER SYSTEM SET max_slot_wal_keep_size = '48MB'`);
    await onSource('SELECT pg_reload_conf()');
    const { retainedLimitBytes } = await untilLive(
      online.handle,
      'the limit is known, and when it will be reached',
      ({ retainedLimitBytes: limit, secondsToLimit }) => limit !== undefined && secondsToLimit !== undefined,
    );
    expect(retainedLimitBytes).toBe(48 * 1024 ** 2);
    await eventually('the WAL is removed', async () => {
      await onSource(`SELECT pg_logical_emit_message(false, 'another', repeat('x', 8000000))`);
      await onSource('SELECT pg_switch_wal()');
      await onSource('CHECKPOINT');
      const { rows } = await onSource(
        'SELECT wal_status AS is FROM pg_replication_slots WHERE NOT temporary',
      );
      return rows[0]?.is === 'lost';
    });
    await expectStoppedUntilRecopied(online, 'SlotLost');
  });
});

describe('a source that fails over', () => {
  itInAll('to a standby without the slot is gone on with there, when everything is copied anew', async () => {
    const primary = servers.source;
    const standby = await standbyOf(primary, {
      major: SIDES.source,
      directory: join(directory, 'standby'),
      settings: SETTINGS,
    });
    const proxy = await TcpProxy.start(primary);
    try {
      useServerAt(SIDES.source, proxy.port);
      const online = await startReady();
      await untilCaughtUp(online, SIDES);
      proxy.cut();
      // sends all to the standby first
      await primary.stop();
      useServerAt(SIDES.source, standby.port);
      await withSession(SIDES.source, 'postgres', (client) => client.query('SELECT pg_promote()'));
      proxy.leadTo(standby);
      proxy.reopen();
      useServerAt(SIDES.source, proxy.port);
      await expectStoppedUntilRecopied(online, 'SlotLost');
    } finally {
      await proxy.close();
      // what is done after the test is done there
      servers.source = standby;
      useServerAt(SIDES.source, standby.port);
      await primary.remove();
    }
  });
});
