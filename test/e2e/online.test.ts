import { setTimeout as pause } from 'node:timers/promises';
import { ABORT_CUTOVER_UPDATE, PAUSE_UPDATE, RESUME_UPDATE } from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  cutOver,
  expectReleased,
  refusalOf,
  untilLive,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { ConfirmedPositions } from '../support/outages';

const SOURCE = 15;
const TARGET = 17;

const { shop, start, startReady } = useOnlineMigrations(SOURCE, TARGET, 60_000);

let positions: ConfirmedPositions | undefined;
afterEach(() => positions?.stop());

async function expectEqual(online: Online): Promise<void> {
  await expectReleased(shop, online, [SOURCE, TARGET]);
  expect(online.writer.committed).toBeGreaterThan(50);
}

describe('an online migration of a database that is written to all the time', () => {
  it('ends equal, and leaves only the fence on the source', async () => {
    const online = await start();
    shop.startWorker(online.request.pool);
    expect(await refusalOf(cutOver(online.handle))).toMatch(/not ready|validated/);
    await untilReplication(online.handle, 'ReadyForCutover');
    const database = await cutOver(online.handle);
    expect(database.cutover).toMatchObject({ attempt: 1, state: 'Released' });
    expect(database.cutover?.fencedSeconds).toBeGreaterThan(0);
    await expectEqual(online);
  });

  it('survives the death of its worker again and again', async () => {
    const online = await start();
    positions = ConfirmedPositions.watch(online, { source: SOURCE, target: TARGET });
    for (let life = 0; life < 6; life++) {
      const worker = shop.startWorker(online.request.pool);
      await pause(2_500 + life * 300);
      await worker.kill();
    }
    const replicating = shop.startWorker(online.request.pool);
    await untilReplication(online.handle, 'ReadyForCutover');
    await replicating.kill();
    shop.startWorker(online.request.pool);
    await untilLive(online.handle, 'changes that are applied again', ({ lagSeconds }) => lagSeconds < 5);
    await positions.expectDurable();
    await cutOver(online.handle);
    await expectEqual(online);
  });

  itInAll('can be paused and resumed', async () => {
    const online = await startReady();
    await online.handle.executeUpdate(PAUSE_UPDATE, { args: [{}] });
    await untilReplication(online.handle, 'Paused');
    expect(await refusalOf(cutOver(online.handle))).toMatch(/Paused/);
    await online.handle.executeUpdate(RESUME_UPDATE, { args: [{}] });
    await untilReplication(online.handle, 'ReadyForCutover');
    await cutOver(online.handle);
    await expectEqual(online);
  });

  itInAll('can be called off in its cutover, and cut over again', async () => {
    const online = await startReady();
    for (const delay of [10, 120, 250, 400, 600]) {
      const cutover = cutOver(online.handle);
      await pause(delay);
      await online.handle.executeUpdate(ABORT_CUTOVER_UPDATE, { args: [{}] }).catch(() => undefined);
      const state = (await cutover).cutover?.state;
      // a fast machine may have released it by then
      if (delay > 250 && state === 'Released') return await expectEqual(online);
      expect(state).toBe('CalledOff');
      const before = online.writer.committed;
      await eventually('the application writes again', () =>
        Promise.resolve(online.writer.committed > before + 5),
      );
      await untilReplication(online.handle, 'ReadyForCutover');
    }
    await cutOver(online.handle);
    await expectEqual(online);
  });
});
