import type { Client } from 'pg';
import type { EntryPhase } from './entry-phase';
import type { TimedEntry } from './entry-timing';

/** All stored entries that come after the data and are executed at all, in the archive's order. */
export async function timedEntries(client: Client): Promise<TimedEntry[]> {
  const { rows } = await client.query<{
    dump_id: number;
    phase: EntryPhase;
    description: string;
    statement: string;
    undo: string;
    dependencies: number[];
  }>(
    `SELECT dump_id, phase, description, undo, dependencies,
            CASE WHEN description LIKE '%CONSTRAINT' THEN statement ELSE '' END AS statement
       FROM flexlift.archive_entry WHERE phase <> 'pre-data' AND skipped_by IS NULL ORDER BY position`,
  );
  return rows.map(({ dump_id: dumpId, ...entry }) => ({ dumpId, ...entry }));
}
