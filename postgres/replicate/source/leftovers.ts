import type { Client } from 'pg';
import { FlexliftError, sourceObjectPrefix } from '../../../contract';
import { databaseNames } from '../../catalog';
import { migrationPrefix, withConnection, type Endpoint } from '../../connect';
import { sourceObjects, type SourceObject } from './source-objects';

/** Something that a migration of ours has on a source, found with nothing but the source. */
export interface Leftover extends SourceObject {
  /** What of its migration is at work there, for a person; absent: nothing. */
  usedBy?: string;
}

/**
 * All that is ours on a source. A migration that is paused, or whose workers are down, looks like one that is gone.
 *
 * @param args.databases absent: all that take connections and are no provider's own
 * @throws FlexliftError InvalidRequest where there is no such database
 */
export async function findLeftovers(args: {
  source: Endpoint;
  databases?: string[];
  signal: AbortSignal;
}): Promise<Leftover[]> {
  const { source, signal } = args;
  const { maintenanceDatabase } = source.address;
  const all = await withConnection(source, maintenanceDatabase, signal, databaseNames);
  const unknown = args.databases?.find((name) => !all.includes(name));
  if (unknown !== undefined) throw unknownDatabase(unknown, all);
  const found: Leftover[] = [];
  for (const database of args.databases ?? all) {
    found.push(...(await withConnection(source, database, signal, leftoversHere)));
  }
  return found;
}

async function leftoversHere(client: Client): Promise<Leftover[]> {
  const objects = await sourceObjects(client);
  const users = new Map<string, string | undefined>();
  for (const { migrationId } of objects) {
    if (!users.has(migrationId)) users.set(migrationId, await sessionOf(client, migrationId));
  }
  return objects.map((object) => {
    const usedBy = users.get(object.migrationId);
    return usedBy === undefined ? object : { ...object, usedBy };
  });
}

/** A session of the migration on this server, or whoever reads one of its slots. */
async function sessionOf(client: Client, migrationId: string): Promise<string | undefined> {
  const { rows } = await client.query<{ pid: number; slot: string | null; database: string | null }>(
    `SELECT a.pid, NULL AS slot, a.datname AS database FROM pg_catalog.pg_stat_activity a
      WHERE pg_catalog.starts_with(a.application_name, $1)
     UNION ALL
     SELECT s.active_pid, s.slot_name, s.database FROM pg_catalog.pg_replication_slots s
      WHERE pg_catalog.starts_with(s.slot_name, $2) AND s.active_pid IS NOT NULL
     ORDER BY 2 NULLS LAST LIMIT 1`,
    [migrationPrefix(migrationId), sourceObjectPrefix(migrationId)],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { pid, slot, database } = row;
  return slot === null
    ? `process ${pid} works in database ${JSON.stringify(database)}`
    : `process ${pid} reads slot ${slot}`;
}

function unknownDatabase(name: string, all: string[]): FlexliftError {
  return new FlexliftError({
    code: 'InvalidRequest',
    sentence: `The source has no database ${JSON.stringify(name)}.`,
    remedy: `It has ${all.map((known) => JSON.stringify(known)).join(', ')}.`,
    side: 'source',
  });
}
