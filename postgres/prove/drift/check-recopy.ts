import type { Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { compareCatalogs, readTables, type Catalog } from '../../compare';
import { quoteQualified } from '../../connect';
import { inSnapshot, isLoaded } from '../../ledger';
import {
  isLateConstraint,
  isOfAnyTable,
  mapObjects,
  tableOf,
  withoutLate,
  withoutPositions,
} from './comparable-catalog';

const REMEDY =
  'Make the same change on the target, and accept the drift (flexlift resume --accept-drift); then ask for the recopy again.';

interface PlannedTable {
  oid: number;
  schema: string;
  name: string;
}

/**
 * A recopy empties its tables first. So nothing is begun where one of them is not the same on both sides: it could not be
 * filled again.
 *
 * @param args.source outside of a transaction, as is the target
 * @param args.tableOid this table alone. Absent: all of the load
 * @throws FlexliftError SchemaDrift
 */
export async function checkRecopy(args: {
  source: Client;
  target: Client;
  tableOid?: number;
}): Promise<void> {
  const { source, target, tableOid } = args;
  const { rows: planned } = await target.query<PlannedTable>(
    `SELECT table_oid AS oid, schema_name AS schema, table_name AS name
       FROM flexlift.table_load WHERE $1::pg_catalog.oid IS NULL OR table_oid = $1 ORDER BY 2, 3`,
    [tableOid ?? null],
  );
  await checkNames(source, planned);
  const withConstraints = await isLoaded(target);
  const tables = new Set(planned.map(({ schema, name }) => quoteQualified(schema, name)));
  const read = async (client: Client) =>
    comparable(await inSnapshot(client, () => readTables(client)), withConstraints);
  const [first] = compareCatalogs(await read(source), await read(target)).filter(({ object }) =>
    concerns(object, tables),
  );
  if (first !== undefined) throw drift(first.message, first.object);
}

async function checkNames(source: Client, planned: PlannedTable[]): Promise<void> {
  const { rows: present } = await source.query<PlannedTable>(
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
}

/** Before the end of a load constraints may be missing. */
function comparable(catalog: Catalog, withConstraints: boolean): Catalog {
  return mapObjects(withoutPositions(catalog), (identity, properties) => {
    const isLate = isLateConstraint(identity, properties);
    if (isLate || (!withConstraints && identity.startsWith('constraint '))) return undefined;
    return withoutLate(properties);
  });
}

function concerns(object: string, tables: ReadonlySet<string>): boolean {
  return isOfAnyTable(object) || tables.has(tableOf(object) ?? '');
}

function drift(sentence: string, object: string): FlexliftError {
  return new FlexliftError({ code: 'SchemaDrift', sentence, remedy: REMEDY, side: 'source', object });
}
