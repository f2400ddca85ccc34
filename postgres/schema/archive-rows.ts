import type { Client } from 'pg';
import { isProviders } from '../catalog';
import { entryPhases, type EntryPhase } from './entry-phase';
import { leftOutEntries, type EntryOptions } from './entry-rules';
import { entryCreator, entryObject, entryStatement, isPrivilege } from './entry-statement';
import { entryUndo } from './entry-undo';
import { granteesOnTarget } from './grantees';
import { keyInSteps } from './key-index';
import type { ArchiveEntry, SchemaArchive } from './read-archive';
import { tablesOfEntries } from './tables-of-entries';

/** Characters of statements sent to the target at once. */
const CHUNK = 4 * 1024 * 1024;

export interface ArchiveToStore {
  /** A session on the source, best within the snapshot of the dump. */
  source: Client;
  target: Client;
  archive: SchemaArchive;
  options: EntryOptions;
}

/** The columns of `flexlift.archive_entry`. */
export interface ArchiveRow {
  dump_id: number;
  position: number;
  section: string;
  phase: EntryPhase;
  description: string;
  object: string;
  catalog_class: number;
  catalog_oid: number;
  table_oid: number | null;
  dependencies: number[];
  statement: string;
  key_index: string | null;
  index_constraint: string | null;
  undo: string;
  creator: string | null;
  creates_in: string | null;
  skipped_by: string | null;
}

/**
 * What was decided for each entry: its statement, its phase, its table, the rule that leaves it out.
 *
 * @returns each made as it is asked for, and to be gone through once: a large schema stands in memory but once
 */
export async function archiveRows({
  source,
  target,
  archive,
  options,
}: ArchiveToStore): Promise<Iterable<ArchiveRow>> {
  const roles = await roleNames(target);
  const keepsOwner = (entry: ArchiveEntry) => !options.noOwner && !isProviders(entry.owner);
  const entries = archive.entries.map((entry) =>
    isPrivilege(entry)
      ? { ...entry, definition: granteesOnTarget(entry, { owner: keepsOwner(entry), roles }) }
      : entry,
  );
  const tables = await tablesOfEntries(source, entries);
  const phases = entryPhases(entries, tables);
  const leftOut = leftOutEntries(entries, options);
  const rowOf = (entry: ArchiveEntry, position: number): ArchiveRow => {
    const skippedBy = leftOut.get(entry.dumpId);
    const owner = keepsOwner(entry);
    const creator = skippedBy === undefined ? entryCreator(entry, { owner }) : undefined;
    // a subscription's holds a password
    const statement = skippedBy === undefined ? entryStatement(entry, { owner }) : '';
    const key = entry.description === 'CONSTRAINT' ? keyInSteps(statement) : undefined;
    return {
      dump_id: entry.dumpId,
      position,
      section: entry.section,
      phase: phases.get(entry.dumpId) ?? 'pre-data',
      description: entry.description,
      object: entryObject(entry),
      catalog_class: entry.catalogClass,
      catalog_oid: entry.catalogOid,
      table_oid: tables.get(entry.dumpId) ?? null,
      dependencies: entry.dependencies,
      statement,
      key_index: key?.index ?? null,
      index_constraint: key?.constraint ?? null,
      undo: skippedBy === undefined ? entryUndo(entry) : '',
      creator: creator?.role ?? null,
      creates_in: creator?.schema ?? null,
      skipped_by: skippedBy ?? null,
    };
  };
  return mapped(entries, rowOf);
}

function* mapped<Item, Result>(
  items: Item[],
  convert: (item: Item, index: number) => Result,
): Generator<Result> {
  for (const [index, item] of items.entries()) yield convert(item, index);
}

async function roleNames(target: Client): Promise<Set<string>> {
  const { rows } = await target.query<{ name: string }>('SELECT rolname AS name FROM pg_catalog.pg_roles');
  return new Set(rows.map(({ name }) => name));
}

/** In the caller's ledger transaction. */
export async function insertArchiveRows(target: Client, rows: Iterable<ArchiveRow>): Promise<void> {
  for (const chunk of chunksAsJson(rows)) await target.query(INSERT_ENTRIES, [`[${chunk.join(',')}]`]);
}

const INSERT_ENTRIES = `
  INSERT INTO flexlift.archive_entry
         (dump_id, position, section, phase, description, object, catalog_class, catalog_oid, table_oid,
          dependencies, statement, key_index, index_constraint, undo, creator, creates_in, skipped_by)
  SELECT dump_id, position, section, phase, description, object, catalog_class, catalog_oid, table_oid,
         dependencies, statement, key_index, index_constraint, undo, creator, creates_in, skipped_by
    FROM pg_catalog.json_to_recordset($1::pg_catalog.json)
         AS e(dump_id pg_catalog.int4, position pg_catalog.int4, section pg_catalog.text, phase pg_catalog.text,
              description pg_catalog.text, object pg_catalog.text, catalog_class pg_catalog.oid,
              catalog_oid pg_catalog.oid, table_oid pg_catalog.oid, dependencies pg_catalog.int4[],
              statement pg_catalog.text, key_index pg_catalog.text, index_constraint pg_catalog.text,
              undo pg_catalog.text, creator pg_catalog.text, creates_in pg_catalog.text, skipped_by pg_catalog.text)`;

/** One at a time: all of them together would stand in memory twice. */
function* chunksAsJson(rows: Iterable<ArchiveRow>): Generator<string[]> {
  let chunk: string[] = [];
  let size = 0;
  for (const row of rows) {
    const text = JSON.stringify(row);
    chunk.push(text);
    size += text.length;
    if (size < CHUNK) continue;
    yield chunk;
    [chunk, size] = [[], 0];
  }
  if (chunk.length > 0) yield chunk;
}
