import type { Client } from 'pg';
import type { Difference } from '../../../contract';
import { compareCatalogs, leftToTheTarget, readCatalog, type Catalog } from '../../compare';
import { quoteQualified } from '../../connect';
import { listSourceTables, type SourceTable } from '../../copy';
import { without, withoutDatabase, withoutPositions } from './comparable-catalog';
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
 * well; all else may still be missing on the target and is compared at the cutover.
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
  const unlike = compareCatalogs(loaded(present), loaded(await presentCatalog(target)), {
    ignoredIdentities: leftToTheTarget(present),
  });
  const uncopied = await uncopiedTables(target, tables);
  return { present, tables, inTheWay: [...uncopied, ...unlike.map(withRemedy)] };
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
