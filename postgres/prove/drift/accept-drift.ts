import type { Client } from 'pg';
import { quoteQualified } from '../../connect';
import type { SourceTable } from '../../copy';
import { withLedger, type LedgerIdentity } from '../../ledger';
import type { DriftToAccept } from './acceptable-drift';
import { driftBetween } from './drift-since';
import { catalogAtDump, updateCatalog } from './stored-catalog';

export interface AcceptDriftArguments {
  /** Outside of a transaction. */
  target: Client;
  identity: LedgerIdentity;
  /** Nothing may stand in its way. */
  drift: DriftToAccept;
  /** What else follows the source's schema, in the same transaction. */
  lastWork: () => Promise<void>;
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
  lastWork,
}: AcceptDriftArguments): Promise<void> {
  const { present, tables } = drift;
  const dumped = await catalogAtDump(target);
  const drifted =
    dumped === undefined ? undefined : driftBetween(dumped, present).map(({ object }) => object);
  await withLedger(target, identity, async () => {
    // first of all the stream's row, as every batch does
    await updateCatalog(target, present);
    await followTables(target, tables);
    await forgetProofs(target, drifted);
    await lastWork();
  });
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

/** A type may stand in any table; without the catalog of the dump, anything may have changed. */
async function forgetProofs(target: Client, drifted: string[] | undefined): Promise<void> {
  if (drifted?.some((object) => /^(type|domain) |^constraint .* on domain /s.test(object)) !== false) {
    await target.query('DELETE FROM flexlift.proof');
    return;
  }
  const { rows } = await target.query<{ table_oid: number; schema_name: string; table_name: string }>(
    'SELECT table_oid, schema_name, table_name FROM flexlift.table_load',
  );
  const touched = rows.filter(({ schema_name, table_name }) => {
    const name = quoteQualified(schema_name, table_name);
    // by another key the rows that changed are not found
    return drifted.some(
      (object) =>
        object === `table ${name}` ||
        object.startsWith(`column ${name}."`) ||
        (object.startsWith('constraint ') && object.endsWith(` on ${name}`)),
    );
  });
  await target.query('DELETE FROM flexlift.proof WHERE table_oid = ANY ($1::oid[])', [
    touched.map((row) => row.table_oid),
  ]);
}
