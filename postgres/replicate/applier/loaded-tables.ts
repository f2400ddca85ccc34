import type { Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { quoteQualified } from '../../connect';
import { isPlanned } from '../../copy';
import { IS_UNCOPIED } from '../../ledger';

/**
 * A load is ended where its slot seems lost. If the slot is there after all, what was not copied by then would be neither
 * copied nor missed.
 *
 * @throws FlexliftError LoadIncomplete
 */
export async function refuseUnloadedTables(target: Client): Promise<void> {
  const { rows } = await target.query<{ schema_name: string; table_name: string; tables: number }>(
    `SELECT schema_name, table_name, (pg_catalog.count(*) OVER ())::int AS tables
       FROM flexlift.table_load t
      WHERE identity <> 'late' AND stream_state = 'applied' AND ${IS_UNCOPIED}
      ORDER BY 1, 2 LIMIT 1`,
  );
  const [first] = rows;
  if (first !== undefined) {
    const object = quoteQualified(first.schema_name, first.table_name);
    throw incomplete(`${first.tables} of them are not, ${object} first`, object);
  }
  if (!(await isPlanned(target))) throw incomplete('none of them is');
}

function incomplete(what: string, object?: string): FlexliftError {
  return new FlexliftError({
    code: 'LoadIncomplete',
    sentence: `The load was ended before all tables were copied: ${what}.`,
    remedy: 'Run flexlift recopy to copy the tables anew with a new slot.',
    side: 'target',
    object,
  });
}
