import type { Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { quoteQualified } from '../../connect';
import { isLoaded, IS_UNCOPIED } from '../../ledger';

/**
 * A load is ended where its slot seems lost. If the slot is there after all, what was not copied by then would be neither
 * copied nor missed, and what its indexes are for could not be found.
 *
 * @throws FlexliftError LoadIncomplete
 */
export async function refuseUnloadedTables(target: Client): Promise<void> {
  if (await isLoaded(target)) return;
  const { rows } = await target.query<{ schema_name: string; table_name: string; tables: number }>(
    `SELECT schema_name, table_name, (pg_catalog.count(*) OVER ())::int AS tables
       FROM flexlift.table_load t WHERE ${IS_UNCOPIED} ORDER BY 1, 2 LIMIT 1`,
  );
  const [first] = rows;
  if (first === undefined) throw incomplete('indexes are missing');
  const object = quoteQualified(first.schema_name, first.table_name);
  throw incomplete(`${first.tables} tables are not copied, ${object} first`, object);
}

function incomplete(what: string, object?: string): FlexliftError {
  return new FlexliftError({
    code: 'LoadIncomplete',
    sentence: `The load was ended before its end: ${what}.`,
    remedy: 'Run flexlift recopy to copy the tables anew with a new slot.',
    side: 'target',
    object,
  });
}
