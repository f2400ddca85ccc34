import type { Client } from 'pg';
import type { Difference } from '../../../contract';
import { compareCatalogs, leftToTheTarget, type Catalog } from '../../compare';
import { quoteQualified } from '../../connect';
import { listSourceTables, type SourceTable } from '../../copy';
import { withLedger, type LedgerIdentity } from '../../ledger';
import { driftBetween, presentCatalog } from './drift-since';
import { without, withoutPositions } from './comparable-catalog';
import { catalogAtDump, updateCatalog } from './stored-catalog';

export interface AcceptDriftArguments {
  /** Outside of a transaction, as is the target. */
  source: Client;
  target: Client;
  identity: LedgerIdentity;
}

/**
 * Takes the source's schema of now for the one that was dumped, if its tables, columns, types, functions, sequences and
 * schemas are the target's as well; all else may still be missing on the target and is compared at the cutover. What was
 * proven of a table that changed is forgotten, for nothing tells which rows the change has touched.
 *
 * @returns what stands in the way; empty: the drift is accepted. Each says in its message what to do.
 * @throws FlexliftError LedgerForeign, LedgerReleased
 */
export async function acceptDrift({ source, target, identity }: AcceptDriftArguments): Promise<Difference[]> {
  const dumped = await catalogAtDump(target);
  const present = await presentCatalog(source);
  // only then: a table that was made meanwhile must not be taken for one that is copied
  const tables = await listSourceTables(source);
  const unlike = compareCatalogs(loaded(present), loaded(await presentCatalog(target)), {
    ignoredIdentities: leftToTheTarget(present),
  });
  const uncopied = await uncopiedTables(target, tables);
  if (unlike.length + uncopied.length > 0) return [...uncopied, ...unlike.map(withRemedy)];
  const drifted =
    dumped === undefined ? undefined : driftBetween(dumped, present).map(({ object }) => object);
  await withLedger(target, identity, async () => {
    // first of all the stream's row, as every batch does
    await updateCatalog(target, present);
    await followTables(target, tables);
    await forgetProofs(target, drifted);
  });
  return [];
}

/** What the target has before its load ends; of tables not what waits for the cutover. */
const LOADED = /^(table|column|type|domain|function|procedure|aggregate|sequence|schema|extension) /;
const SET_LATE = ['row security', 'forced row security', 'replica identity'];

function loaded(catalog: Catalog): Catalog {
  const { major, objects } = withoutPositions(catalog);
  const kept = [...objects].filter(
    ([identity]) => LOADED.test(identity) && !isColumnOfView(identity, objects),
  );
  return {
    major,
    objects: new Map(kept.map(([identity, properties]) => [identity, without(properties, SET_LATE)])),
  };
}

/** A view that needs a key (GROUP BY) is made when the key is there, and with its columns until then. */
function isColumnOfView(identity: string, objects: Catalog['objects']): boolean {
  const [, relation] = /^column (".*)\."(?:[^"]|"")*"$/s.exec(identity) ?? [];
  return objects.has(`view ${relation}`) || objects.has(`materialized view ${relation}`);
}

function withRemedy(difference: Difference): Difference {
  const remedy = 'Make the same change on the target, then: flexlift resume --accept-drift.';
  return { ...difference, message: `${difference.message} ${remedy}` };
}

/** Nothing copies the rows of a table that was made after the load was planned. */
async function uncopiedTables(target: Client, tables: SourceTable[]): Promise<Difference[]> {
  const { rows } = await target.query<{ table_oid: number }>('SELECT table_oid FROM flexlift.table_load');
  const known = new Set(rows.map((row) => row.table_oid));
  return tables
    .filter(({ oid }) => !known.has(oid))
    .map(({ schema, name }) => ({
      kind: 'catalog',
      object: `table ${quoteQualified(schema, name)}`,
      message:
        'The table was made on the source since its schema was dumped: its rows are neither copied nor replicated. ' +
        'Drop it on the source, or cancel the migration (flexlift cancel) and start it again.',
    }));
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
