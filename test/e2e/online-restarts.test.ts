import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  ensureTemporalServer,
  killTemporalServer,
  serversDirectory,
  stateDirectory,
  stopTemporalServer,
  type PostgresServer,
  type StateDirectory,
  type StopMode,
} from '../../embedded';
import { itInAll } from '../support/all';
import { cutOver, expectReleased, useOnlineMigrations, type Online } from '../support/online';
import { ConfirmedPositions, untilCaughtUp } from '../support/outages';
import { useServerAt } from '../support/servers';
import { TEMPORAL_VARIABLE } from '../support/temporal';
import { createOwnServer } from '../support/own-server';

const SIDES = { source: 14, target: 17 } as const;
/** Milliseconds. */
const MINUTE = 60_000;
const PATIENCE = 400_000;

/** Servers and Temporal of these tests' own: they are stopped in the middle of the work. */
const servers = {} as Record<keyof typeof SIDES, PostgresServer>;
let directory: string;
let temporal: StateDirectory;

beforeAll(async () => {
  directory = await serversDirectory(`online-restarts-${process.pid}`);
  temporal = stateDirectory({ ...process.env, FLEXLIFT_STATE_DIR: join(directory, 'state') });
  await Promise.all([startServer('source'), startServer('target'), startTemporal()]);
  for (const side of ['source', 'target'] as const) useServerAt(SIDES[side], servers[side].port);
});

let positions: ConfirmedPositions | undefined;

afterEach(async () => {
  await positions?.stop();
  await Promise.all([servers.source.start(), servers.target.start()]);
});

const { shop, startReady } = useOnlineMigrations(SIDES.source, SIDES.target);
afterAll(async () => {
  await Promise.all([servers.source.remove(), servers.target.remove(), stopTemporalServer(temporal)]);
  rmSync(directory, { recursive: true, force: true });
});

async function startServer(side: keyof typeof SIDES): Promise<void> {
  const settings = { fsync: false, wal_level: 'logical', max_connections: 100 };
  const server = await createOwnServer({ major: SIDES[side], directory: join(directory, side), settings });
  await server.start();
  servers[side] = server;
}

async function startTemporal(): Promise<void> {
  const { address } = await ensureTemporalServer(temporal, { namespace: 'default' });
  process.env[TEMPORAL_VARIABLE] = address;
}

async function startWatched(): Promise<Online> {
  const online = await startReady();
  positions = ConfirmedPositions.watch(online, SIDES);
  return online;
}

/** @param duration how long it stays away at least; milliseconds */
async function restart(
  online: Online,
  side: keyof typeof SIDES,
  mode: StopMode,
  duration = 0,
): Promise<void> {
  await servers[side].stop(mode);
  await pause(duration);
  await servers[side].start();
  await untilCaughtUp(online, SIDES);
}

async function restartTemporal(online: Online, duration = 0): Promise<void> {
  await killTemporalServer(temporal);
  await pause(duration);
  await startTemporal();
  await untilCaughtUp(online, SIDES);
}

async function expectEqual(online: Online): Promise<void> {
  await cutOver(online.handle);
  await positions?.expectDurable();
  await expectReleased(shop, online, [SIDES.source, SIDES.target]);
}

describe('an online migration whose servers are restarted while it replicates', () => {
  itInAll('goes on by itself, and ends equal', async () => {
    const online = await startWatched();
    await restart(online, 'source', 'fast');
    await restart(online, 'target', 'immediate');
    await restart(online, 'source', 'immediate');
    await restartTemporal(online);
    await expectEqual(online);
  });

  itInAll.each([
    ['source', 'fast'],
    ['source', 'immediate'],
    ['target', 'fast'],
    ['target', 'immediate'],
  ] as const)(
    'survives that its %s is stopped again and again (%s), once for a minute',
    async (side, mode) => {
      const online = await startWatched();
      for (let time = 0; time < 5; time++) await restart(online, side, mode, time * 300);
      await restart(online, side, mode, MINUTE);
      await expectEqual(online);
    },
    PATIENCE,
  );

  itInAll(
    'survives that Temporal is killed again and again, once for a minute',
    async () => {
      const online = await startWatched();
      for (let time = 0; time < 3; time++) await restartTemporal(online, time * 1_000);
      await restartTemporal(online, MINUTE);
      await expectEqual(online);
    },
    PATIENCE,
  );
});
