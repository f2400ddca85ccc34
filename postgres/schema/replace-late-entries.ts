import type { Client } from 'pg';
import { serverVersion } from '../catalog';
import { atSide } from '../connect';
import { archiveRows, insertArchiveRows, type ArchiveRow, type ArchiveToStore } from './archive-rows';
import { entryStages, isForeignKey, isNotBefore, type EntryStage } from './entry-stage';
import { withLockTimeout } from './run-online';
import { pendingUntil } from './staged-entries';

/** What comes before it was executed when the replication began. */
const FIRST_LATE: EntryStage = 'foreign-keys';

export interface LateEntry {
  row: ArchiveRow;
  /** By which its object is known on either server; absent: executing it again is harmless. */
  name?: string;
}

/** What of a new dump is executed behind the load. */
export async function lateEntries(task: ArchiveToStore): Promise<LateEntry[]> {
  const rows = lateRows(await archiveRows(task));
  const names = await objectsOfRows(task.source, rows);
  return rows.map((row) => ({ row, name: names.get(row.dump_id) }));
}

/**
 * Puts the entries of a new dump in the place of those that wait for the cutover: the source's schema has changed, and
 * with it what they say of its tables. What the target has already, because somebody made the change there too, is not
 * made again. To be called while no cutover is under way, in a ledger transaction that holds the stream's row.
 *
 * @throws FlexliftError Contention where entries are being executed
 */
export async function replaceLateEntries(target: Client, entries: LateEntry[]): Promise<void> {
  await atSide('target', target, () =>
    withLockTimeout(target, () => target.query('LOCK TABLE flexlift.step IN SHARE ROW EXCLUSIVE MODE')),
  );
  const unchecked = await uncheckedForeignKeys(target);
  const present = await objectsOfTarget(target);
  const rows = await renumber(
    target,
    entries.filter((entry) => isMissing(entry, present, unchecked)).map(({ row }) => row),
  );
  const { due } = await pendingUntil(target);
  const replaced = due.filter(({ stage }) => isNotBefore(stage, FIRST_LATE));
  await target.query('DELETE FROM flexlift.archive_entry WHERE dump_id = ANY ($1::pg_catalog.int4[])', [
    replaced.map(({ dumpId }) => dumpId),
  ]);
  await insertArchiveRows(target, rows);
  await followUnchecked(target, unchecked, rows);
}

function isMissing(
  { row, name }: LateEntry,
  present: ReadonlySet<string>,
  unchecked: ReadonlyMap<number, number>,
): boolean {
  if (name === undefined || !present.has(name)) return true;
  return isForeignKey(row) && unchecked.has(row.catalog_oid);
}

function lateRows(rows: ArchiveRow[]): ArchiveRow[] {
  const executed = rows.filter(({ phase, skipped_by }) => phase !== 'pre-data' && skipped_by === null);
  const stages = entryStages(executed.map((row) => ({ ...row, dumpId: row.dump_id })));
  return executed.filter(({ dump_id }) => isNotBefore(stages.get(dump_id) ?? 'indexes', FIRST_LATE));
}

/** By their oid on the source, the dump id of those that were added and are still to be checked. */
async function uncheckedForeignKeys(target: Client): Promise<Map<number, number>> {
  const { rows } = await target.query<{ catalog_oid: number; dump_id: number }>(
    `SELECT e.catalog_oid, e.dump_id
       FROM flexlift.archive_entry e
       JOIN flexlift.step k ON k.kind = 'foreign-key' AND k.key = e.dump_id::pg_catalog.text
      WHERE NOT EXISTS (SELECT FROM flexlift.step d WHERE d.kind = 'entry' AND d.key = k.key)`,
  );
  return new Map(rows.map((row) => [row.catalog_oid, row.dump_id]));
}

/** Privileges and comments have no oid of their own. */
async function objectsOfRows(source: Client, rows: ArchiveRow[]): Promise<Map<number, string>> {
  const objects = rows.filter(({ catalog_class, catalog_oid }) => catalog_class !== 0 && catalog_oid !== 0);
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

const LATE_CATALOGS = [
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
  const { rows } = await target.query<{ name: string }>(
    `SELECT pg_catalog.concat_ws(' ', i.type, i.identity) AS name
       FROM (${catalogs.join(' UNION ALL ')}) AS o(class, object),
            LATERAL pg_catalog.pg_identify_object(o.class, o.object, 0) AS i`,
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

/** Where the source dropped one, there is nothing left to check. */
async function followUnchecked(
  target: Client,
  unchecked: Map<number, number>,
  rows: ArchiveRow[],
): Promise<void> {
  const now = new Map(rows.filter(isForeignKey).map(({ catalog_oid, dump_id }) => [catalog_oid, dump_id]));
  for (const [oid, dumpId] of unchecked) {
    await target.query(`DELETE FROM flexlift.step WHERE kind = 'foreign-key' AND key = $1`, [String(dumpId)]);
    const next = now.get(oid);
    if (next === undefined) continue;
    await target.query(`INSERT INTO flexlift.step (kind, key) VALUES ('foreign-key', $1)`, [String(next)]);
  }
}
