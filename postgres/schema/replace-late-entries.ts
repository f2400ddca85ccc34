import type { Client } from 'pg';
import { FIRST_USER_OID, serverVersion } from '../catalog';
import { isLoaded } from '../ledger';
import { archiveRows, insertArchiveRows, type ArchiveRow, type ArchiveToStore } from './archive-rows';
import { entryStages, isNotBefore, isQueryOfView, type EntryStage } from './entry-stage';
import { pendingUntil } from './staged-entries';

export interface LateEntry {
  row: ArchiveRow;
  stage: EntryStage;
  /** By which its object is known on either server; absent: executing it again is harmless. */
  name?: string;
}

/** What of a new dump comes after the data. */
export async function lateEntries(task: ArchiveToStore): Promise<LateEntry[]> {
  const rows = [...(await archiveRows(task))].filter(
    ({ phase, skipped_by }) => phase !== 'pre-data' && skipped_by === null,
  );
  const stages = entryStages(rows.map((row) => ({ ...row, dumpId: row.dump_id })));
  const names = await objectsOfRows(task.source, rows);
  return rows.map((row) => ({
    row,
    stage: stages.get(row.dump_id) ?? 'indexes',
    name: names.get(row.dump_id),
  }));
}

/**
 * Puts the entries of a new dump in the place of those that are still to be executed: the source's schema has changed, and
 * with it what they say of its tables. What the target has already, because it is executed or somebody made the change
 * there too, is not made again; what is being executed right now stays as it is. To be called while no cutover and no load
 * is under way, in a ledger transaction.
 */
export async function replaceLateEntries(target: Client, entries: LateEntry[]): Promise<void> {
  // what a load makes is there when it has come to its end, and is the next one's to make where it has not
  const first: EntryStage = (await isLoaded(target)) ? 'foreign-keys' : 'indexes';
  const { due } = await pendingUntil(target);
  const { replaced, kept } = await lockPending(
    target,
    due.map(({ dumpId }) => dumpId),
  );
  const begun = await begunEntries(target, replaced);
  const present = await objectsOfTarget(target);
  const late = entries.filter(({ row, stage }) => isNotBefore(stage, first) && !kept.has(objectOf(row)));
  const rows = await renumber(target, missingRows(late, { present, begun }));
  await target.query('DELETE FROM flexlift.archive_entry WHERE dump_id = ANY ($1::pg_catalog.int4[])', [
    replaced,
  ]);
  await insertArchiveRows(target, rows);
  await followBegun(target, begun, rows);
}

/** By their objects on the source, `kept` are those that are being executed: the check of a foreign key may take hours. */
async function lockPending(
  target: Client,
  pending: number[],
): Promise<{ replaced: number[]; kept: Set<string> }> {
  const { rows: locked } = await target.query<{ dump_id: number }>(
    `SELECT dump_id FROM flexlift.archive_entry
      WHERE dump_id = ANY ($1::pg_catalog.int4[]) FOR UPDATE SKIP LOCKED`,
    [pending],
  );
  const replaced = locked.map((row) => row.dump_id);
  const { rows: busy } = await target.query<Pick<ArchiveRow, 'catalog_class' | 'catalog_oid'>>(
    `SELECT catalog_class, catalog_oid FROM flexlift.archive_entry
      WHERE dump_id = ANY ($1::pg_catalog.int4[]) AND dump_id <> ALL ($2::pg_catalog.int4[]) AND catalog_oid <> 0`,
    [pending, replaced],
  );
  return { replaced, kept: new Set(busy.map(objectOf)) };
}

function missingRows(
  entries: LateEntry[],
  { present, begun }: { present: ReadonlySet<string>; begun: ReadonlyMap<string, BegunEntry> },
): ArchiveRow[] {
  const made = new Set<number>();
  for (const { row, name } of entries) {
    if (name !== undefined && present.has(name) && !begun.has(objectOf(row))) made.add(row.dump_id);
  }
  return entries
    .map(({ row }) => row)
    .filter(({ dump_id, description, dependencies }) => {
      // a table that such a publication lacks would have to be taken out of it again when a cutover is called off
      const isOfPublication = description.startsWith('PUBLICATION TABLE');
      return !made.has(dump_id) && !(isOfPublication && dependencies.some((dumpId) => made.has(dumpId)));
    });
}

/** The first of an entry's two steps, which is done: an index that is to be a key, a foreign key that is to be checked. */
interface BegunEntry {
  kind: string;
  key: string;
}

/** By their objects on the source. */
async function begunEntries(target: Client, dumpIds: number[]): Promise<Map<string, BegunEntry>> {
  const { rows } = await target.query<{ object: string } & BegunEntry>(
    `SELECT pg_catalog.concat_ws(' ', e.catalog_class, e.catalog_oid) AS object, k.kind, k.key
       FROM flexlift.archive_entry e
       JOIN flexlift.step k ON k.kind IN ('key-index', 'foreign-key') AND k.key = e.dump_id::pg_catalog.text
      WHERE e.dump_id = ANY ($1::pg_catalog.int4[])`,
    [dumpIds],
  );
  return new Map(rows.map(({ object, kind, key }) => [object, { kind, key }]));
}

function objectOf({ catalog_class, catalog_oid }: Pick<ArchiveRow, 'catalog_class' | 'catalog_oid'>): string {
  return `${catalog_class} ${catalog_oid}`;
}

/** Else a name is quoted by the keywords of its server's major. For the rest of the transaction. */
const QUOTING = 'SET LOCAL quote_all_identifiers = on';

/** Privileges and comments have no oid of their own. */
async function objectsOfRows(source: Client, rows: ArchiveRow[]): Promise<Map<number, string>> {
  const objects = rows.filter(
    (row) => row.catalog_class !== 0 && row.catalog_oid !== 0 && !isQueryOfView(row),
  );
  await source.query(QUOTING);
  const { rows: named } = await source.query<{ dump_id: number; name: string }>(
    `SELECT o.dump_id, pg_catalog.concat_ws(' ', i.type, i.identity) AS name
       FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int4[]), pg_catalog.unnest($2::pg_catalog.oid[]),
                       pg_catalog.unnest($3::pg_catalog.oid[])) AS o(dump_id, class, object),
            LATERAL pg_catalog.pg_identify_object(o.class, o.object, 0) AS i`,
    [
      objects.map(({ dump_id }) => dump_id),
      objects.map(({ catalog_class }) => catalog_class),
      objects.map(({ catalog_oid }) => catalog_oid),
    ],
  );
  return new Map(named.map(({ dump_id, name }) => [dump_id, name]));
}

/** Of what pg_dump writes behind the data: a view, a function may have to wait for a key. */
const LATE_CATALOGS = [
  'pg_class',
  'pg_proc',
  'pg_statistic_ext',
  'pg_constraint',
  'pg_trigger',
  'pg_rewrite',
  'pg_policy',
  'pg_publication',
  'pg_publication_rel',
  'pg_event_trigger',
];

/** From here on a publication can take whole schemas. */
const FIRST_MAJOR_WITH_SCHEMAS_PUBLISHED = 15;

async function objectsOfTarget(target: Client): Promise<Set<string>> {
  const { major } = await serverVersion(target);
  const catalogs = [
    ...LATE_CATALOGS,
    ...(major >= FIRST_MAJOR_WITH_SCHEMAS_PUBLISHED ? ['pg_publication_namespace'] : []),
  ].map((catalog) => `SELECT tableoid, oid FROM pg_catalog.${catalog}`);
  await target.query(QUOTING);
  const { rows } = await target.query<{ name: string }>(
    `SELECT pg_catalog.concat_ws(' ', i.type, i.identity) AS name
       FROM (${catalogs.join(' UNION ALL ')}) AS o(class, object),
            LATERAL pg_catalog.pg_identify_object(o.class, o.object, 0) AS i
      WHERE o.object >= ${FIRST_USER_OID}`,
  );
  return new Set(rows.map(({ name }) => name));
}

/** Behind those of all dumps before, so that what was executed keeps its number. */
async function renumber(target: Client, rows: ArchiveRow[]): Promise<ArchiveRow[]> {
  const { rows: last } = await target.query<{ dump_id: number; position: number }>(
    `SELECT COALESCE(pg_catalog.max(dump_id), 0) AS dump_id, COALESCE(pg_catalog.max(position), 0) + 1 AS position
       FROM flexlift.archive_entry`,
  );
  const { dump_id: dumpIds = 0, position: positions = 0 } = last[0] ?? {};
  return rows.map((row) => ({
    ...row,
    dump_id: row.dump_id + dumpIds,
    position: row.position + positions,
    dependencies: row.dependencies.map((dumpId) => dumpId + dumpIds),
  }));
}

/** Where the source dropped the object, there is no second step. */
async function followBegun(
  target: Client,
  begun: ReadonlyMap<string, BegunEntry>,
  rows: ArchiveRow[],
): Promise<void> {
  const now = new Map(rows.map((row) => [objectOf(row), row.dump_id]));
  for (const [object, { kind, key }] of begun) {
    await target.query('DELETE FROM flexlift.step WHERE kind = $1 AND key = $2', [kind, key]);
    const next = now.get(object);
    if (next === undefined) continue;
    await target.query('INSERT INTO flexlift.step (kind, key) VALUES ($1, $2)', [kind, String(next)]);
  }
}
