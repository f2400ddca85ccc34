import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteQualified } from '../connect';
import { sourceTables, targetTables } from './table-columns';

const REMEDY =
  'Make the same change on the target, then: flexlift resume --accept-drift, and recopy by the name it has now.';

/**
 * A recopy empties its tables first. So nothing is begun where one of them has not the same name and columns on both
 * sides.
 *
 * @param args.tableOid this table alone. Absent: all of the load
 * @throws FlexliftError SchemaDrift
 */
export async function checkRecopy(args: {
  source: Client;
  target: Client;
  tableOid?: number;
}): Promise<void> {
  const { source, target, tableOid } = args;
  const { rows: planned } = await target.query<{ oid: number; schema: string; name: string }>(
    `SELECT table_oid AS oid, schema_name AS schema, table_name AS name
       FROM flexlift.table_load WHERE $1::pg_catalog.oid IS NULL OR table_oid = $1 ORDER BY 2, 3`,
    [tableOid ?? null],
  );
  const { rows: present } = await source.query<{ oid: number; schema: string; name: string }>(
    `SELECT c.oid, n.nspname AS schema, c.relname AS name
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid = ANY ($1::pg_catalog.oid[])`,
    [planned.map(({ oid }) => oid)],
  );
  const names = new Map(present.map(({ oid, schema, name }) => [oid, quoteQualified(schema, name)]));
  for (const { oid, schema, name } of planned) {
    const object = quoteQualified(schema, name);
    const now = names.get(oid);
    if (now === undefined) throw drift('The table was dropped on the source.', object);
    if (now !== object) throw drift(`The table was renamed to ${now} on the source.`, object);
  }
  await checkColumns(
    { source, target },
    planned.map(({ oid }) => oid),
  );
}

async function checkColumns(
  { source, target }: { source: Client; target: Client },
  oids: number[],
): Promise<void> {
  try {
    await targetTables(target, await sourceTables(source, oids));
  } catch (error) {
    if (!(error instanceof FlexliftError && error.code === 'SchemaDrift')) throw error;
    throw new FlexliftError({ ...error.fields, remedy: REMEDY }, { cause: error });
  }
}

function drift(sentence: string, object: string): FlexliftError {
  return new FlexliftError({ code: 'SchemaDrift', sentence, remedy: REMEDY, side: 'source', object });
}
