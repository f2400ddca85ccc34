import {
  cutOver,
  expectReleased,
  isFenced,
  untilCutOver,
  untilReplication,
  useOnlineMigrations,
} from '../support/online';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import { withSession } from '../support/servers';
import { Writers } from '../support/writers';

const SOURCE = 14;
const TARGET = 17;

const { shop, startReady } = useOnlineMigrations(SOURCE, TARGET);
let intruder: Writers | undefined;

afterEach(async () => {
  await intruder?.stop();
});

/** An application that asks for transactions that write, and connects again when it is thrown out. */
function startIntruder(): Writers {
  return Writers.start(SOURCE, shop.database, {
    sessions: 1,
    interval: 50,
    transaction: (_session, turn) => `
      BEGIN READ WRITE;
      UPDATE "Small 12" SET note = 'intruder ${turn}' WHERE id = ${11 + (turn % 100)};
      COMMIT`,
  });
}

describe('a fence that does not hold', () => {
  it('is noticed: the cutover is called off, and the next one succeeds when the intruder is gone', async () => {
    const migration = await startReady();
    const { handle, writer } = migration;
    intruder = startIntruder();
    const { cutover } = await cutOver(handle);
    expect(cutover).toMatchObject({
      state: 'CalledOff',
      failure: { code: 'FenceBroken', object: '"public"."Small 12"' },
    });
    expect(cutover?.fencedSeconds).toBeGreaterThan(0);
    expect(await isFenced(SOURCE, shop.database)).toBe(false);
    const before = writer.committed;
    await eventually('the application writes again', () => Promise.resolve(writer.committed > before + 5));
    await untilReplication(handle, 'ReadyForCutover');

    await intruder.stop();
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });

  it('is noticed where large objects are written, which a read-only transaction may below 16', async () => {
    const migration = await startReady();
    const { handle } = migration;
    intruder = Writers.start(SOURCE, shop.database, {
      sessions: 1,
      interval: 0,
      transaction: (_session, turn) => `SELECT lo_put(900002, 0, int4send(${turn}))`,
    });
    const { cutover } = await cutOver(handle);
    expect(cutover).toMatchObject({
      state: 'CalledOff',
      failure: { code: 'FenceBroken', object: 'large objects' },
    });
    expect(await isFenced(SOURCE, shop.database)).toBe(false);

    await intruder.stop();
    await untilReplication(handle, 'ReadyForCutover');
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });

  itInAll('is not raised while the source holds prepared transactions', async () => {
    const migration = await startReady();
    const { handle } = migration;
    const gid = `'it''s "prepared"'`;
    await withSession(SOURCE, shop.database, (client) =>
      client.query(
        `BEGIN; UPDATE "Small 12" SET note = 'prepared' WHERE id = 50; PREPARE TRANSACTION ${gid}`,
      ),
    );
    try {
      const { cutover } = await cutOver(handle);
      expect(cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'CutoverRefused' } });
      expect(cutover?.failure?.sentence).toContain('prepared transactions');
      expect(cutover?.failure?.sentence).toContain(`it's "prepared"`);
      expect(cutover?.fencedAt).toBeUndefined();
    } finally {
      await withSession(SOURCE, shop.database, (client) => client.query(`COMMIT PREPARED ${gid}`));
    }
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});
