import type { Client } from 'pg';
import type { Catalog } from '../../compare';
import { quoteIdentifier, quoteQualified } from '../../connect';
import type { SourceTable } from '../../copy';
import { isDone, onceForOrder, type LedgerIdentity } from '../../ledger';
import { isOfAnyTable, tableOf } from './comparable-catalog';
import type { DriftToAccept } from './drift-to-accept';
import { driftBetween } from './drift-since';
import { catalogAtDump, updateCatalog } from './stored-catalog';

const KIND = 'accept-drift';

export interface AcceptDriftArguments {
  /** Outside of a transaction. */
  target: Client;
  identity: LedgerIdentity;
  /** Nothing may stand in its way. */
  drift: DriftToAccept;
  /** Once for each of these; absent: each time. */
  order?: string;
  /** What else follows the source's schema, in the same transaction. */
  alsoFollow: () => Promise<void>;
}

/**
 * Takes the source's schema as it was looked at for the one that was dumped. What was proven of a table that changed is
 * forgotten, for nothing tells which rows the change has touched.
 *
 * @throws FlexliftError LedgerForeign, LedgerReleased
 */
export async function acceptDrift({
  target,
  identity,
  drift,
  order,
  alsoFollow,
}: AcceptDriftArguments): Promise<void> {
  const { present, tables } = drift;
  const dumped = await catalogAtDump(target);
  const drifted =
    dumped === undefined ? undefined : driftBetween(dumped, present).map(({ object }) => object);
  await onceForOrder(target, identity, { kind: KIND, order }, async () => {
    // first of all the stream's row, as every batch does
    await updateCatalog(target, present);
    await followTables(target, tables);
    await followRanges(target, present);
    await forgetProofs(target, drifted);
    await alsoFollow();
  });
}

/** Whether that order was carried out before. */
export async function isDriftAccepted(target: Client, order: string | undefined): Promise<boolean> {
  return order !== undefined && (await isDone(target, { kind: KIND, key: order }));
}

/** The ledger's names follow the source's; what is gone there is gone. */
async function followTables(target: Client, tables: SourceTable[]): Promise<void> {
  const oids = tables.map(({ oid }) => oid);
  for (const name of ['proof', 'changed_rows', 'spool', 'part', 'table_load']) {
    await target.query(`DELETE FROM flexlift.${name} WHERE table_oid <> ALL ($1::oid[])`, [oids]);
  }
  // its proof is one of a table with another name, and a like one may have that now
  await target.query(
    `WITH renamed AS (
       UPDATE flexlift.table_load t SET schema_name = s.schema_name, table_name = s.table_name
         FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))
              AS s(table_oid, schema_name, table_name)
        WHERE t.table_oid = s.table_oid AND (t.schema_name, t.table_name) <> (s.schema_name, s.table_name)
       RETURNING t.table_oid)
     DELETE FROM flexlift.proof WHERE table_oid IN (SELECT table_oid FROM renamed)`,
    [oids, tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
}

/** Parts that are ranges of a column that is gone cannot be copied anew as such: they become one. */
async function followRanges(target: Client, { objects }: Catalog): Promise<void> {
  const { rows } = await target.query<{
    table_oid: number;
    schema_name: string;
    table_name: string;
    range_column: string;
  }>(
    'SELECT table_oid, schema_name, table_name, range_column FROM flexlift.table_load WHERE range_column IS NOT NULL',
  );
  const isGone = (row: (typeof rows)[number]) =>
    !objects.has(
      `column ${quoteQualified(row.schema_name, row.table_name)}.${quoteIdentifier(row.range_column)}`,
    );
  const oids = rows.filter(isGone).map((row) => row.table_oid);
  if (oids.length === 0) return;
  await target.query(
    `UPDATE flexlift.part p
        SET range_from = NULL, range_to = NULL, rows = s.rows, bytes = s.bytes, seconds = s.seconds
       FROM (SELECT table_oid, pg_catalog.min(part) AS part, pg_catalog.sum(rows) AS rows, pg_catalog.sum(bytes) AS bytes,
                    pg_catalog.sum(seconds) AS seconds
               FROM flexlift.part WHERE table_oid = ANY ($1::oid[]) GROUP BY table_oid) AS s
      WHERE p.table_oid = s.table_oid AND p.part = s.part`,
    [oids],
  );
  await target.query(
    `DELETE FROM flexlift.part p USING flexlift.part q
      WHERE p.table_oid = ANY ($1::oid[]) AND q.table_oid = p.table_oid AND q.part < p.part`,
    [oids],
  );
  await target.query(
    'UPDATE flexlift.table_load SET range_column = NULL, parts = 1 WHERE table_oid = ANY ($1::oid[])',
    [oids],
  );
}

/** Without the catalog of the dump anything may have changed. By another key the rows that changed are not found. */
async function forgetProofs(target: Client, drifted: string[] | undefined): Promise<void> {
  if (drifted?.some(isOfAnyTable) !== false) {
    await target.query('DELETE FROM flexlift.proof');
    return;
  }
  const { rows } = await target.query<{ table_oid: number; schema_name: string; table_name: string }>(
    'SELECT table_oid, schema_name, table_name FROM flexlift.table_load',
  );
  const tables = new Set(drifted.map(tableOf));
  const touched = rows.filter((row) => tables.has(quoteQualified(row.schema_name, row.table_name)));
  await target.query('DELETE FROM flexlift.proof WHERE table_oid = ANY ($1::oid[])', [
    touched.map((row) => row.table_oid),
  ]);
}
