import { DatabaseError, type Client } from 'pg';
import { mapPostgresError, quoteQualified } from '../../connect';
import { ChangeRejection } from '../apply';
import type { StreamTable } from './table-states';

/**
 * Checks what the target puts off until a COMMIT, while it can still be told which table is to blame. With
 * `session_replication_role = replica` there is nothing to check: deferred constraints are triggers, which do not fire.
 *
 * @throws ChangeRejection
 */
export async function checkDeferredConstraints(
  target: Client,
  tables: ReadonlyMap<number, StreamTable>,
): Promise<void> {
  try {
    await target.query('SET CONSTRAINTS ALL IMMEDIATE');
  } catch (error) {
    const table = error instanceof DatabaseError ? blamedTable(error, tables) : undefined;
    if (table === undefined) throw error;
    const { fields } = mapPostgresError(error, { side: 'target' });
    throw new ChangeRejection(
      table.oid,
      {
        ...fields,
        object: table.name,
        remedy: `Correct what the target refuses, and copy the table anew with \`flexlift recopy --table …\`.`,
      },
      { cause: error },
    );
  }
}

function blamedTable(
  { schema, table }: DatabaseError,
  tables: ReadonlyMap<number, StreamTable>,
): StreamTable | undefined {
  if (schema === undefined || table === undefined) return undefined;
  const name = quoteQualified(schema, table);
  return [...tables.values()].find((known) => known.name === name);
}
