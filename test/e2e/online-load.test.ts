import { DEFAULT_LIMITS } from '../../contract';
import { eventually } from '../support/eventually';
import { untilReplication, useOnlineMigrations } from '../support/online';
import { withSession } from '../support/servers';

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

it('a keeper that dies between two parts of its table costs one more copy of those before', async () => {
  const { request, handle } = await start({
    limits: { ...DEFAULT_LIMITS, partBytes: TINY_PARTS, copiesAtOnce: 1 },
  });
  shop.startWorker(request.pool, ['control', 'copy']);
  const keeper = shop.startWorker(request.pool, ['stream']);
  await eventually(
    'some parts are copied',
    async () => (await partsOfBig().catch(() => [])).some(({ part, copies }) => part === 2 && copies > 0),
    { interval: 5 },
  );
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
