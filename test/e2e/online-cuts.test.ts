import { setTimeout as pause } from 'node:timers/promises';
import {
  ABORT_CUTOVER_UPDATE,
  STATUS_QUERY,
  type DatabaseStatus,
  type MigrationStatus,
} from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import { TEST_TIMEOUTS } from '../support/migration';
import {
  cutOver,
  expectReleased,
  leftOnSource,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { ConfirmedPositions, untilCaughtUp, untilUnreachable } from '../support/outages';
import { testAddress, withSession } from '../support/servers';
import { TcpProxy } from '../support/tcp-proxy';

const SIDES = { source: 15, target: 17 } as const;
const { source: SOURCE, target: TARGET } = SIDES;

/** Milliseconds. */
const CUT = 8_000;
const MINUTE = 60_000;
const PATIENCE = 400_000;

type Side = keyof typeof SIDES;
/** `cut`: refused and reset; `stall`: half-open, and those of then stay so. */
type Outage = 'cut' | 'stall';

const { shop, start } = useOnlineMigrations(SOURCE, TARGET);
let networks: Record<Side, TcpProxy>;
let positions: ConfirmedPositions | undefined;

beforeEach(async () => {
  networks = {
    source: await TcpProxy.start(testAddress(SOURCE)),
    target: await TcpProxy.start(testAddress(TARGET)),
  };
});
afterEach(async () => {
  await positions?.stop();
  await closeNetworks();
});

async function closeNetworks(): Promise<void> {
  await Promise.all(Object.values(networks).map((network) => network.close()));
}

/** The worker reaches either server through a network of its own; the application needs none. */
async function startReady(): Promise<Online> {
  const online = await start({
    source: { ...testAddress(SOURCE), port: networks.source.port },
    target: { ...testAddress(TARGET), port: networks.target.port },
    timeouts: {
      ...TEST_TIMEOUTS,
      ...{ segment: 300_000, proof: 3_000, watch: 500, connect: 3_000, silence: 3_000 },
    },
  });
  shop.startWorker(online.request.pool);
  await untilReplication(online.handle, 'ReadyForCutover');
  positions = ConfirmedPositions.watch(online, SIDES);
  return online;
}

async function outlive(online: Online, side: Side, outage: Outage, duration: number): Promise<void> {
  networks[side][outage]();
  await Promise.all([pause(duration), untilUnreachable(online, side)]);
  networks[side].reopen();
  await untilCaughtUp(online, SIDES);
}

/** Runs `work` in a cutover that stands behind the fence, and cannot go on before it has begun. */
async function behindFence(
  { handle }: Online,
  work: (cutover: Promise<DatabaseStatus>) => Promise<void>,
): Promise<void> {
  const cutover = await withSession(TARGET, shop.database, async (client) => {
    await client.query('BEGIN; COMMENT ON MATERIALIZED VIEW kinds IS NULL');
    let ended: DatabaseStatus | undefined;
    const begun = cutOver(handle).then((status) => (ended = status));
    await eventually('the cutover waits behind the fence', async () => {
      expect(ended?.cutover).toBeUndefined();
      const status = await handle.query<MigrationStatus>(STATUS_QUERY);
      return status.databases[0]?.phase === 'MaterializedViews';
    });
    return { begun };
  });
  await work(cutover.begun);
}

/** Where the network stays as it is until a person has called the cutover off. */
async function callOff(online: Online, side: Side, outage: Outage): Promise<void> {
  const { handle, writer } = online;
  await behindFence(online, async (cutover) => {
    networks[side][outage]();
    await untilUnreachable(online, side);
    const written = writer.committed;
    const calledOff = handle.executeUpdate(ABORT_CUTOVER_UPDATE, { args: [{}] });
    // writers wait for nothing but the server that holds them up
    if (side === 'source') await untilUnreachable(online, side);
    else await untilWritten(online, written);
    networks[side].reopen();
    await calledOff;
    expect((await cutover).cutover).toMatchObject({ state: 'CalledOff' });
    await untilWritten(online, written);
  });
  await untilReplication(handle, 'ReadyForCutover');
  await untilCaughtUp(online, SIDES);
}

async function untilWritten({ writer }: Online, before: number): Promise<void> {
  await eventually('the application writes again', () => Promise.resolve(writer.committed > before + 5));
}

async function cutOverThrough(online: Online, side: Side, outage: Outage, duration: number): Promise<void> {
  await behindFence(online, async (cutover) => {
    networks[side][outage]();
    await Promise.all([pause(duration), untilUnreachable(online, side)]);
    networks[side].reopen();
    expect((await cutover).cutover).toMatchObject({ state: 'Released' });
  });
}

async function expectEqual(online: Online): Promise<void> {
  await online.handle.result();
  await positions?.expectDurable();
  // what is half-open on the source's side ends when the network does
  await closeNetworks();
  await eventually('no sessions of the migration', async () => {
    const left = await leftOnSource(SOURCE, shop.database, online.request.migrationId);
    return left.every((what) => !what.startsWith('session '));
  });
  await expectReleased(shop, online, [SOURCE, TARGET]);
}

describe('an online migration whose network fails', () => {
  itInAll('says which server cannot be reached, goes on by itself, and ends equal', async () => {
    const online = await startReady();
    await outlive(online, 'source', 'cut', CUT);
    await outlive(online, 'target', 'stall', 0);
    await cutOverThrough(online, 'target', 'cut', 0);
    await expectEqual(online);
  });

  for (const side of ['source', 'target'] as const) {
    for (const outage of ['cut', 'stall'] as const) {
      const what = `${outage === 'cut' ? 'cut off' : 'half-open'} for a minute, its ${side}`;

      itInAll(
        `${what}, goes on by itself, and ends equal`,
        async () => {
          const online = await startReady();
          await outlive(online, side, outage, MINUTE);
          await cutOver(online.handle);
          await expectEqual(online);
        },
        PATIENCE,
      );

      itInAll(
        `${what}, behind the fence, can be called off or waited for`,
        async () => {
          const online = await startReady();
          await callOff(online, side, outage);
          await cutOverThrough(online, side, outage, MINUTE);
          await expectEqual(online);
        },
        PATIENCE,
      );
    }
  }
});
