import type { Client } from 'pg';
import type { EntryPhase } from './entry-phase';
import { entryStages, isNotBefore, type EntryStage } from './entry-stage';
import { pendingEntries, type StoredEntry } from './run-entries';

/** The stage of every stored entry that comes after the data and is executed at all, by its dump id. */
export async function storedStages(client: Client): Promise<Map<number, EntryStage>> {
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
  return entryStages(rows.map(({ dump_id: dumpId, ...entry }) => ({ dumpId, ...entry })));
}

export interface PendingEntry extends StoredEntry {
  stage: EntryStage;
}

/**
 * All that is neither executed nor left out by a rule.
 *
 * @param until the last stage that is due; what belongs to later ones is counted as `left`. Default: the last of all
 */
export async function pendingUntil(
  client: Client,
  until: EntryStage = 'event-triggers',
): Promise<{ due: PendingEntry[]; left: number }> {
  const pending = await stagedPending(client);
  const due = pending.filter(({ stage }) => isNotBefore(until, stage));
  return { due, left: pending.length - due.length };
}

export async function pendingOf(client: Client, wanted: EntryStage): Promise<StoredEntry[]> {
  return (await stagedPending(client)).filter(({ stage }) => stage === wanted);
}

async function stagedPending(client: Client): Promise<PendingEntry[]> {
  const stages = await storedStages(client);
  const pending = await pendingEntries(client);
  return pending.map((entry) => ({ ...entry, stage: stages.get(entry.dumpId) ?? 'indexes' }));
}
