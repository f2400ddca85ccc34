import type { Client } from 'pg';
import type { Difference } from '../../../contract';
import { compareCatalogs, leftToTheTarget, readCatalog, type Catalog, type Properties } from '../../compare';
import { quoteQualified } from '../../connect';
import { listSourceTables, type SourceTable } from '../../copy';
import { isLoaded } from '../../ledger';
import {
  isColumnOfView,
  isLateConstraint,
  mapObjects,
  withoutDatabase,
  withoutLate,
  withoutPositions,
} from './comparable-catalog';
import { presentCatalog } from './drift-since';

export interface DriftToAccept {
  /** The source's catalog and tables, of one moment. */
  present: Catalog;
  tables: SourceTable[];
  /** What stands in the way; empty: the drift may be accepted. Each says in its message what to do. */
  inTheWay: Difference[];
}

/**
 * What the source is now, and whether its tables, columns, types, functions, sequences and schemas are the target's as
 * well, and its indexes, views, statistics and constraints are there; all else is made at the cutover, and compared then.
 *
 * @param args.source in a snapshot
 * @param args.target outside of a transaction
 */
export async function driftToAccept({
  source,
  target,
}: {
  source: Client;
  target: Client;
}): Promise<DriftToAccept> {
  const present = withoutDatabase(await readCatalog(source));
  const tables = await listSourceTables(source);
  const isThere = (await isLoaded(target)) ? isMadeByLoad : () => false;
  const comparable = (catalog: Catalog) => comparableCatalog(catalog, isThere);
  const unlike = compareCatalogs(comparable(present), comparable(await presentCatalog(target)), {
    ignoredIdentities: leftToTheTarget(present),
  });
  const uncopied = await uncopiedTables(target, tables);
  return { present, tables, inTheWay: [...uncopied, ...unlike.map(withRemedy)] };
}

/** What the target has before its load ends; of tables not what waits for the cutover. */
const MADE_FIRST = /^(table|column|type|domain|function|procedure|aggregate|sequence|schema|extension) /;
const MADE_BY_LOAD = /^(view|materialized view|foreign table|statistics|index|constraint) /;

/** The cutover would only find that it is missing: it does not make it. */
function isMadeByLoad(identity: string, properties: Properties): boolean {
  return MADE_BY_LOAD.test(identity) && !isLateConstraint(identity, properties);
}

/** @param isThere what has to be there; how it reads is compared at the cutover */
function comparableCatalog(catalog: Catalog, isThere: typeof isMadeByLoad): Catalog {
  return mapObjects(withoutPositions(catalog), (identity, properties) => {
    if (isThere(identity, properties)) return {};
    if (!MADE_FIRST.test(identity) || isColumnOfView(identity, catalog.objects)) return undefined;
    return withoutLate(properties);
  });
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
        'Drop it on the source, or cancel the migration (flexlift cancel --drop-target) and start it again.',
    }));
}
