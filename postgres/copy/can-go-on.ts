import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { checkPlannedTables } from './reconcile';
import { listSourceTables } from './source-tables';
import { sourceTables, targetTables } from './table-columns';

/** Whether an earlier run has left anything on the target that cost time. */
export async function hasCopied(target: Client): Promise<boolean> {
  const { rowCount } = await target.query(
    `SELECT FROM flexlift.part WHERE copied_at IS NOT NULL
      UNION ALL SELECT FROM flexlift.large_object_batch WHERE copied_at IS NOT NULL LIMIT 1`,
  );
  return rowCount === 1;
}

/** Whether the source still has the tables and columns that an earlier run has dumped and planned its load by. */
export async function isPlanOfToday(source: Client, target: Client): Promise<boolean> {
  const tables = await listSourceTables(source);
  try {
    await checkPlannedTables(target, tables);
    await targetTables(
      target,
      await sourceTables(
        source,
        tables.map(({ oid }) => oid),
      ),
    );
    return true;
  } catch (error) {
    if (error instanceof FlexliftError && error.code === 'SchemaDrift') return false;
    throw error;
  }
}
