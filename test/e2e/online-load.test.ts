import { DEFAULT_LIMITS } from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import { expectReleased, untilCutOver, untilReplication, useOnlineMigrations } from '../support/online';
import { run, withSession } from '../support/servers';

const SOURCE = 14;
const TARGET = 17;
/** So many parts that the keeper surely dies between two of them. Bytes. */
const TINY_PARTS = 128 * 1024;

const { shop, start } = useOnlineMigrations(SOURCE, TARGET);

interface Part {
  part: number;
  copies: number;
  scope: number | null;
}

async function partsOfBig(): Promise<Part[]> {
  return await withSession(TARGET, shop.database, async (client) => {
    const { rows } = await client.query<Part>(
      `SELECT part, copies, scope FROM flexlift.part JOIN flexlift.table_load USING (table_oid)
        WHERE table_name = 'big' ORDER BY part`,
    );
    return rows;
  });
}

async function untilUnderWay(): Promise<void> {
  const isUnderWay = ({ part, copies }: Part) => part === 2 && copies > 0;
  const probe = async () => (await partsOfBig().catch(() => [])).some(isUnderWay);
  await eventually('some parts are copied', probe, { interval: 5 });
}

it('a worker that dies while it copies costs nothing but the parts that it had in its hands', async () => {
  const { request, handle } = await start({ limits: { ...DEFAULT_LIMITS, partBytes: TINY_PARTS } });
  shop.startWorker(request.pool, ['control', 'stream']);
  const copier = shop.startWorker(request.pool, ['copy']);
  await untilUnderWay();
  await copier.kill();
  expect((await partsOfBig()).some(({ copies }) => copies === 0)).toBe(true);
  shop.startWorker(request.pool, ['copy']);
  await untilReplication(handle, 'ReadyForCutover');
  const parts = await partsOfBig();
  expect(new Set(parts.map(({ copies }) => copies))).toEqual(new Set([1]));
  expect(new Set(parts.map(({ scope }) => scope)).size).toBe(1);
});

itInAll('a keeper that dies between two parts of its table costs one more copy of those before', async () => {
  const { request, handle } = await start({
    limits: { ...DEFAULT_LIMITS, partBytes: TINY_PARTS, copiesAtOnce: 1 },
  });
  shop.startWorker(request.pool, ['control', 'copy']);
  const keeper = shop.startWorker(request.pool, ['stream']);
  await untilUnderWay();
  await keeper.kill();
  const before = await partsOfBig();
  expect(before.some(({ copies }) => copies === 0)).toBe(true);

  shop.startWorker(request.pool, ['stream']);
  await untilReplication(handle, 'ReadyForCutover');
  const after = await partsOfBig();
  expect(new Set(after.map(({ scope }) => scope)).size).toBe(1);
  // one more may be in flight
  expect(Math.max(...after.map(({ copies }) => copies))).toBe(2);
  expect(after.filter(({ copies }) => copies === 2).length).toBeLessThanOrEqual(
    before.filter(({ copies }) => copies === 1).length + 1,
  );
});

// the last one leaves nothing to copy
itInAll.each([
  'VACUUM FULL big',
  'CLUSTER big USING big_pkey; ALTER TABLE big SET WITHOUT CLUSTER',
  'TRUNCATE big CASCADE',
])('%s in the middle of the copy waits for its end, and all ends equal', async (statement) => {
  // TRUNCATE makes an invalid index a valid one, which the target lacks
  await run(SOURCE, shop.database, 'DROP INDEX IF EXISTS "half made"');
  const online = await start({ limits: { ...DEFAULT_LIMITS, partBytes: TINY_PARTS, copiesAtOnce: 1 } });
  shop.startWorker(online.request.pool);
  await untilUnderWay();
  expect((await partsOfBig()).some(({ copies }) => copies === 0)).toBe(true);
  await withSession(SOURCE, shop.database, (client) => client.query(statement));
  expect(new Set((await partsOfBig()).map(({ copies }) => copies))).toEqual(new Set([1]));
  await untilReplication(online.handle, 'ReadyForCutover');
  await untilCutOver(online.handle);
  await expectReleased(shop, online, [SOURCE, TARGET]);
});

itInAll('what has a lock and a snapshot held for it is copied before what has none', async () => {
  await run(
    SOURCE,
    shop.database,
    `CREATE TABLE second (id int PRIMARY KEY, v text);
     INSERT INTO second SELECT g, repeat('x', 500) FROM generate_series(1, 1000) g`,
  );
  const limits = { ...DEFAULT_LIMITS, partBytes: TINY_PARTS, groupTables: 1, copiesAtOnce: 1 };
  const { request, handle } = await start({ limits });
  shop.startWorker(request.pool);
  await untilReplication(handle, 'ReadyForCutover');
  const groups = await withSession(TARGET, shop.database, async (client) => {
    const { rows } = await client.query<{ all: number; meanwhile: number }>(
      `SELECT count(*)::int4 AS all,
              count(*) FILTER (WHERE p.copied_at BETWEEN s.opened_at AND last.copied_at)::int4 AS meanwhile
         FROM flexlift.part p JOIN flexlift.table_load t USING (table_oid),
              (SELECT s.table_oid, s.opened_at
                 FROM flexlift.scope s JOIN flexlift.table_load USING (table_oid) WHERE table_name = 'second') s,
              LATERAL (SELECT max(copied_at) AS copied_at FROM flexlift.part WHERE table_oid = s.table_oid) last
        WHERE t.group_number IS NOT NULL`,
    );
    return rows[0];
  });
  expect(groups?.all).toBeGreaterThan(3);
  // one may be under way when the snapshot is taken
  expect(groups?.meanwhile).toBeLessThan(2);
});
