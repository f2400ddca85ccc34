import type { Client } from 'pg';
import { serverVersion } from '../../../postgres/catalog';
import { planLoad } from '../../../postgres/copy';
import { divideTable, type DivideTableArguments } from '../../../postgres/copy/divide-table';
import { rowRanges } from '../../../postgres/copy/row-ranges';
import { tableSizes, type TableSize } from '../../../postgres/copy/table-sizes';
import { inSnapshot } from '../../../postgres/ledger';
import type { Major } from '../../support/servers';
import { LIMITS, Pair, tableNamed } from './fixture';

const MEGABYTE = 1024 ** 2;
const NAME = `Docs. "of" 'É🐘`;
const QUOTED = `"Docs. ""of"" 'É🐘"`;

let pair: Pair;

/** Below 14 a range of ctids reads all of the table's own pages, which are few here. */
describe.each<[Major, Major]>([
  [11, 15],
  [15, 18],
])('%i → %i', (source, target) => {
  beforeEach(async () => {
    pair = await Pair.create(source, target);
  });

  afterEach(() => pair.drop());

  test('parts hold as many bytes each, whatever pages the rows lie in; every row once', async () => {
    await pair.both(
      `CREATE TABLE ${QUOTED} (n int, "Bo""dy" text);
       ALTER TABLE ${QUOTED} ALTER "Bo""dy" SET STORAGE EXTERNAL`,
    );
    await pair.sql(
      'source',
      `INSERT INTO ${QUOTED} SELECT g, repeat('x', CASE WHEN g > 100 THEN 200000 ELSE 4000 END)
         FROM generate_series(1, 102) g;
       INSERT INTO ${QUOTED} VALUES (NULL, NULL), (103, '')`,
    );
    const tables = await pair.copyAll({ partBytes: 300_000, groupBytes: 10_000 });
    const { parts, rangeColumn, oid } = tableNamed(tables, NAME);
    expect(rangeColumn).toBeUndefined();
    expect(parts).toHaveLength(4);
    const copied = await pair.sql<{ rows: string; bytes: string }>(
      'target',
      'SELECT rows, bytes FROM flexlift.part WHERE table_oid = $1 ORDER BY part',
      [oid],
    );
    expect(copied.map(({ rows }) => Number(rows))).toEqual([50, 50, 1, 3]);
    expect(Math.max(...copied.map(({ bytes }) => Number(bytes)))).toBeLessThan(210_000);
    const found = await pair.results(`SELECT n, md5("Bo""dy") FROM public.${QUOTED} ORDER BY n`);
    expect(found.target).toEqual(found.source);
  });

  test('1,600 columns, rows that were deleted, and a column that was dropped', async () => {
    const columns = Array.from({ length: 1_600 }, (_, index) => `c${index} text`);
    await pair.both(`CREATE TABLE wide (${columns.join(', ')})`);
    const filled = Array.from({ length: 300 }, (_, index) => `c${index * 5}`);
    await pair.sql(
      'source',
      `ALTER TABLE wide ${filled.map((name) => `ALTER ${name} SET STORAGE EXTERNAL`).join(', ')};
       INSERT INTO wide (${filled.join(', ')}) SELECT ${filled.map(() => `repeat(g::text, 3000)`).join(', ')}
         FROM generate_series(1, 9) g;
       DELETE FROM wide WHERE c0 LIKE '9%'`,
    );
    await pair.both('ALTER TABLE wide DROP c5');
    const { parts } = tableNamed(await pair.copyAll({ partBytes: 2_000_000, groupBytes: 10_000 }), 'wide');
    expect(parts.length).toBeGreaterThan(2);
    const found = await pair.results('SELECT md5(t::text) FROM public.wide t ORDER BY 1');
    expect(found.target).toEqual(found.source);
    expect(found.target).toHaveLength(8);
  });

  test('a table whose values are all gone is copied whole', async () => {
    await pair.both('CREATE TABLE gone (n int, body text); ALTER TABLE gone ALTER body SET STORAGE EXTERNAL');
    await pair.sql(
      'source',
      `INSERT INTO gone SELECT g, repeat('x', 100000) FROM generate_series(1, 20) g; UPDATE gone SET body = NULL`,
    );
    const { parts } = tableNamed(await pair.copyAll({ partBytes: 500_000, groupBytes: 10_000 }), 'gone');
    expect(parts).toHaveLength(1);
    const found = await pair.results('SELECT * FROM public.gone ORDER BY 1');
    expect(found.target).toEqual(found.source);
  });

  test('two parts where it is more than its share, and no row so large that two would be too much', async () => {
    await pair.sql(
      'source',
      'CREATE TABLE docs (body text); ALTER TABLE docs ALTER body SET STORAGE EXTERNAL',
    );
    await pair.sql('source', `INSERT INTO docs SELECT repeat('x', 1000000) FROM generate_series(1, 4)`);
    const divided = async (size: Partial<TableSize>, options: Partial<DivideTableArguments> = {}) =>
      await inSource(async (client) => {
        const [table] = await tableSizes(client);
        if (table === undefined) throw new Error('no table');
        const { major } = await serverVersion(client);
        const { ranges } = await divideTable({
          ...{ source: client, major, exceedsShare: true, partBytes: 4_096 * MEGABYTE },
          ...options,
          table: { ...table, ...size },
        });
        return ranges;
      });
    const parts = async (...args: Parameters<typeof divided>) => (await divided(...args)).length;
    const large = { bytes: 64 * MEGABYTE };
    expect(await parts(large)).toBe(2);
    expect(await parts(large, { exceedsShare: false })).toBe(1);
    expect(await parts({ bytes: 63 * MEGABYTE })).toBe(1);
    expect(await parts({ ...large, pages: 1_025 })).toBe(1);
    expect(await parts({ ...large, condition: '' })).toBe(1);
    expect(await parts({ ...large, heap: false })).toBe(1);
    const byPages = source < 14 ? [{}] : [{ to: '(1024,0)' }, { from: '(1024,0)' }];
    expect(await divided({ bytes: 1_024 * MEGABYTE, pages: 2_049 })).toEqual(byPages);
    const inParts = { partBytes: 20 * MEGABYTE, exceedsShare: false };
    expect(await parts(large, inParts)).toBe(4);
    const manyPages = await divided({ ...large, pages: 256 }, inParts);
    expect(manyPages[1]?.from).toBe(source < 14 ? '(0,2)' : '(64,0)');
    await pair.sql('source', `INSERT INTO docs SELECT repeat('x', 257 * 1024 * 1024)`);
    expect(await parts({})).toBe(1);
    expect(await parts({}, { partBytes: 100 * MEGABYTE })).toBe(1);
  });

  test('the share that a table exceeds is that of one copy', async () => {
    await pair.sql(
      'source',
      'CREATE TABLE docs (body text); ALTER TABLE docs ALTER body SET STORAGE EXTERNAL',
    );
    await pair.sql('source', `INSERT INTO docs SELECT repeat('x', 1000000) FROM generate_series(1, 70)`);
    const partsOf = async (copiesAtOnce: number) =>
      await inSource(async (client) => {
        const { tables } = await planLoad({ source: client, limits: { ...LIMITS, copiesAtOnce } });
        return tables.map(({ parts }) => parts.length);
      });
    expect(await partsOf(1)).toEqual([1]);
    expect(await partsOf(2)).toEqual([2]);
    await pair.sql('source', 'CREATE TABLE more (LIKE docs INCLUDING ALL); INSERT INTO more TABLE docs');
    expect(await partsOf(2)).toEqual([1, 1]);
    expect(await partsOf(3)).toEqual([2, 2]);
  });

  test('nobody is waited for long, and no lock is left', async () => {
    await pair.sql(
      'source',
      'CREATE TABLE held (n int PRIMARY KEY, body text); INSERT INTO held VALUES (1), (2)',
    );
    await pair.sql('source', `UPDATE held SET body = repeat('x', 100)`);
    await inSource(async (client) => {
      const [table] = await tableSizes(client);
      const held = table ?? { oid: 0, schema: '', name: '' };
      expect((await rowRanges(client, held, 2))?.ranges).toHaveLength(2);
      const lock = `BEGIN; LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE NOWAIT`;
      await pair.session('source', async (other) => {
        await other.query(lock);
        expect(await rowRanges(client, held, 2)).toBeUndefined();
        await other.query('COMMIT; BEGIN; REINDEX TABLE public.held');
        expect(await rowRanges(client, held, 2)).toBeUndefined();
        await other.query('COMMIT');
      });
      expect((await rowRanges(client, held, 2))?.ranges).toHaveLength(2);
      await pair.sql('source', 'DROP TABLE held');
      expect(await rowRanges(client, held, 2)).toBeUndefined();
    });
  });
});

async function inSource<T>(work: (client: Client) => Promise<T>): Promise<T> {
  return await pair.session('source', (client) => inSnapshot(client, () => work(client)));
}
