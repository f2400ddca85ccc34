import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { serverVersion } from '../catalog';
import { atSide, endPredecessors, quoteQualified } from '../connect';
import { inSnapshot, type LedgerIdentity } from '../ledger';
import {
  commonRanges,
  plannedLargeObjects,
  planLargeObjects,
  type LargeObjectRange,
} from './large-object-batches';
import { copyLargeObjectRange } from './large-objects';
import { largeObjectPropertiesChecksum, type PropertyChoice } from './large-object-properties';
import { largeObjectRangeChecksum } from './large-objects-checksum';
import { witnessUnlogged } from './emptied-tables';
import { onceInAttempt } from './late-step';
import { hasMoved, lateTables, renewTable, type ChecksumTable, type LateTable } from './late-tables';
import { readSourceCounters, type SourceCounters } from './source-counters';

/** From here on a session's counters are there for all as soon as it has ended. */
const FIRST_MAJOR_WITH_SHARED_STATISTICS = 15;
/** Below it a reader may get a file that was written half a second ago, by a process that had not heard all. Milliseconds. */
const STATISTICS_DELAY = 1_000;

/** What large objects are called among tables: no quoted name is. */
export const LARGE_OBJECTS = 'large objects';

export interface CopyLateRowsArguments extends PropertyChoice {
  /** Fenced; not in a transaction. */
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  /** Of the cutover; what is settled in one attempt is looked at anew in the next. */
  attempt: number;
  /** What the application names of earlier attempts at this piece of work begin with. */
  predecessorPrefix: string;
  checksumTable: ChecksumTable;
  /**
   * False where sessions of the application are still open: they may not have reported what they counted, and so tables
   * whose UPDATE and DELETE are not published are all compared. Default true.
   */
  trustsCounters?: boolean;
  signal: AbortSignal;
  onProgress?: (what: string) => void;
}

/**
 * Brings over what the stream does not carry: tables that are not replicated, tables whose rows were updated or deleted
 * although that is not published, and large objects. Each is compared under one snapshot of the source and copied anew
 * where it differs, in one transaction with its ledger row.
 *
 * @throws FlexliftError CutoverRefused where the attempt has ended
 */
export async function copyLateRows(args: CopyLateRowsArguments): Promise<void> {
  const { source, target, attempt } = args;
  await endPredecessors(source, args.predecessorPrefix);
  await endPredecessors(target, args.predecessorPrefix);
  await witnessUnlogged(target, args.identity, attempt);
  const tables = await lateTables(target);
  const counters = await settledCounters(
    source,
    tables.filter((table) => table.identity === 'append'),
    args.signal,
  );
  const work = async () => {
    await renewTables(args, tables, counters);
    await renewLargeObjects(args);
  };
  await inSnapshot(source, work);
}

async function settledCounters(
  source: Client,
  tables: LateTable[],
  signal: AbortSignal,
): Promise<Map<number, SourceCounters>> {
  if (tables.length === 0) return new Map();
  const { major } = await serverVersion(source);
  if (major < FIRST_MAJOR_WITH_SHARED_STATISTICS) await pause(STATISTICS_DELAY, undefined, { signal });
  const rows = await readSourceCounters(source, tables);
  return new Map(rows.map((row) => [row.oid, row]));
}

async function renewTables(
  args: CopyLateRowsArguments,
  tables: LateTable[],
  counters: Map<number, SourceCounters>,
): Promise<void> {
  const { signal, onProgress, trustsCounters = true } = args;
  for (const table of tables) {
    signal.throwIfAborted();
    const now = counters.get(table.oid);
    if (table.identity === 'append' && trustsCounters && !hasMoved(table, now)) continue;
    onProgress?.(`comparing ${quoteQualified(table.schema, table.name)}`);
    await renewTable({ ...args, table, counters: now });
  }
}

/** Ranges small enough for one transaction each, by what either side holds. */
async function renewLargeObjects(args: CopyLateRowsArguments): Promise<void> {
  const { source, target, signal, onProgress } = args;
  const here = await plannedLargeObjects(target);
  const there = await atSide('source', source, () => planLargeObjects(source));
  for (const range of commonRanges(here, there)) {
    signal.throwIfAborted();
    onProgress?.('comparing large objects');
    await renewRange(args, range);
  }
}

/** Of two that are equal neither content nor properties need to be brought over. */
async function rangeState(client: Client, range: LargeObjectRange, choice: PropertyChoice): Promise<string> {
  const { count, checksum } = await largeObjectRangeChecksum(client, range);
  return `${count} ${checksum} ${await largeObjectPropertiesChecksum(client, range, choice)}`;
}

async function renewRange(args: CopyLateRowsArguments, range: LargeObjectRange): Promise<void> {
  const { source, target, identity, attempt, signal, noOwner, noPrivileges } = args;
  const key = `large objects up to ${range.upTo ?? 'the last'}`;
  const work = () =>
    onceInAttempt(target, identity, { attempt, key, name: LARGE_OBJECTS }, async () => {
      const there = await atSide('source', source, () => rangeState(source, range, args));
      if (there === (await rangeState(target, range, args))) return false;
      await copyLargeObjectRange({ source, target, signal, noOwner, noPrivileges }, range);
      return true;
    });
  await atSide('target', target, work);
}
