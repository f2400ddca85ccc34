import { copyPairs, relayCopies, sourceTables, targetTables } from '../../../postgres/copy';
import { TEST_ALL } from '../../support/all';
import type { Major } from '../../support/servers';
import { KEY_TYPES, KEYLESS_TYPES, TYPES_DDL } from '../../support/type-catalog';
import { never, WritePair } from './write-fixture';

/** A cast from text that is not the input function. */
const CAST = `
  CREATE FUNCTION s.wrong(text) RETURNS int8[] IMMUTABLE LANGUAGE sql AS 'SELECT ARRAY[13::int8]';
  CREATE CAST (text AS int8[]) WITH FUNCTION s.wrong(text);`;

const PAIRS: [Major, Major][] = TEST_ALL
  ? [
      [11, 11],
      [11, 15],
      [15, 18],
    ]
  : [[11, 18]];

test.each(PAIRS)('every type is written as it is and found again, %i to %i', async (source, target) => {
  await WritePair.with([source, target], async (pair) => {
    const keys = Object.entries(KEY_TYPES);
    const all = [...keys, ...Object.entries(KEYLESS_TYPES), ['int8[]', ['{1}', '{2,3}']] as const].filter(
      ([type]) => source >= 12 || type !== 'jsonpath',
    );
    await pair.both(
      [
        TYPES_DDL,
        CAST,
        ...keys.map(([type], at) => `CREATE TABLE k${at} (n int, key ${type} PRIMARY KEY)`),
        ...all.map(([type], at) => `CREATE TABLE v${at} (id int PRIMARY KEY, value ${type})`),
        ...all.map(
          ([type], at) => `CREATE TABLE f${at} (n int, value ${type});
                                    ALTER TABLE f${at} REPLICA IDENTITY FULL`,
        ),
      ].join(';'),
    );
    const constants = (values: readonly string[], type: string) =>
      values.map((value, at) => `(${at}, '${value.replaceAll("'", "''")}'::${type})`).join(', ');
    const full = all.map(([type, values], at) => ({ name: `f${at}`, rows: constants(values, type) }));
    await pair.source.query(full.map(({ name, rows }) => `INSERT INTO ${name} VALUES ${rows}`).join(';'));
    await pair.begin();
    await copyTables(
      pair,
      full.map(({ name }) => name),
    );
    const run = async (statements: string[]) => {
      await pair.source.query(`SET search_path TO public; ${statements.join(';')}`);
      const written = await pair.catchUp();
      expect(written.map((each) => each.replayedStrictly)).toEqual([false]);
      await pair.expectEqual();
    };
    await run([
      ...keys.map(([type, values], at) => `INSERT INTO k${at} VALUES ${constants(values, type)}`),
      ...all.map(([type, values], at) => `INSERT INTO v${at} VALUES ${constants(values, type)}, (100, NULL)`),
      // beside those that were copied, which in binary need not have the image of what was applied
      ...full.map(({ name, rows }) => `INSERT INTO ${name} SELECT n + 50, v FROM (VALUES ${rows}) r (n, v)`),
      ...full.map(({ name }) => `INSERT INTO ${name} VALUES (100, NULL)`),
    ]);
    await run([
      ...keys.map((_, at) => `UPDATE k${at} SET n = n + 1000`),
      // each takes the next one's value
      ...all.map(
        (_, at) =>
          `UPDATE v${at} t SET value = (SELECT value FROM v${at} o WHERE o.id > t.id ORDER BY id LIMIT 1)`,
      ),
      ...all.map((_, at) => `UPDATE f${at} SET n = n + 1000`),
    ]);
    await run([
      ...keys.map(([, values], at) => `DELETE FROM k${at} WHERE n < ${1000 + Math.min(values.length, 2)}`),
      ...all.map((_, at) => `DELETE FROM v${at} WHERE id % 2 = 1`),
      ...all.map((_, at) => `DELETE FROM f${at} WHERE n % 2 = 1`),
    ]);
    await run([...keys.map((_, at) => `DELETE FROM k${at}`), ...all.map((_, at) => `DELETE FROM f${at}`)]);
  });
});

/** As the load does. */
async function copyTables(pair: WritePair, names: string[]): Promise<void> {
  const { source, target } = pair;
  await pair.inTransaction(async () => {
    for (const name of names) {
      const { rows } = await source.query<{ oid: number }>('SELECT $1::regclass::oid AS oid', [name]);
      const from = await sourceTables(source, [rows[0]?.oid ?? 0]);
      const copies = copyPairs(from, await targetTables(target, from), { freeze: [false] });
      await relayCopies({ source, target, copies, signal: never });
    }
  });
}
