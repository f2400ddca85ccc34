import type { KeylessTables } from '../../../contract';
import { createTestDatabase, withSession, type Major } from '../servers';
import { TYPES_DDL } from '../type-catalog';
import { RandomTable } from './random-table';
import type { TableShape } from './shapes';
import { referenceDdl, tableDdl } from './table-ddl';

/** What tables' triggers write, and what all sessions use. */
const COMMON_DDL = `
  CREATE SEQUENCE public.numbers;
  CREATE TABLE public.journal (n bigserial, what text);
  CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.journal (what) VALUES (TG_OP || ' of ' || TG_TABLE_NAME); RETURN NULL; END $$`;

/** Creates a database with these tables and their first rows. */
export async function createRandomSource(
  source: Major,
  shapes: TableShape[],
  keylessTables: KeylessTables,
): Promise<{ database: string; tables: RandomTable[] }> {
  const tables = shapes.map((shape, index) => new RandomTable(shape, index, source, keylessTables));
  const database = await createTestDatabase(source, 'random');
  await withSession(source, database, async (client) => {
    await client.query(TYPES_DDL);
    await client.query('SET search_path = public, e, s');
    await client.query(COMMON_DDL);
    const ddl = tables.flatMap(tableDdl);
    const references = tables.flatMap((table) => referenceDdl(table, tables));
    for (const sql of [...ddl, ...references]) await client.query(sql);
    await client.query('ANALYZE');
  });
  return { database, tables };
}
