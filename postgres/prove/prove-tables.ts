import type { Client } from 'pg';
import type { Difference, FailureFields, PostponedProofs } from '../../contract';
import { oldestWriter } from '../catalog';
import { quoteQualified, type Endpoint } from '../connect';
import { tableBatches } from '../copy';
import type { LedgerIdentity, TableLoad } from '../ledger';
import type { Lsn } from '../replicate/lsn';
import { importBothSnapshots } from './both-snapshots';
import { compareUnderSnapshots } from './compare-under-snapshots';
import { withProofSessions, type ProofSessions } from './proof-sessions';
import { provableTables } from './provable-tables';
import { recordProofs, stopDiffering, type Proof } from './record-proof';
import { namesOf } from './table-standings';

export interface ProveTablesArguments {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  migrationId: string;
  /** On the source. Those whose changes do not all reach the target, or not now, are left out. */
  tableOids: number[];
  signal: AbortSignal;
  /** For a person, what is going on; before each table, or several small ones. */
  onProgress: (what: string) => void;
  /** What the application names of earlier attempts begin with; their sessions are ended. */
  predecessorPrefix?: string;
  /** How long the applier stands still at most while the source's snapshot is taken, milliseconds. Default 20 s. */
  holdTimeout?: number;
  /** How long the applier may take to stand still, milliseconds. Default 30 s. */
  answerTimeout?: number;
  /** How long the applier may take to get to the source's snapshot, milliseconds. Default 60 s. */
  reachTimeout?: number;
}

export interface ProofRound {
  /** Tables found equal. */
  proven: number;
  differences: Difference[];
  /** Absent: every table was read. */
  postponed?: PostponedProofs;
}

/**
 * One round of proofs while changes are applied: both sides' checksums of the tables under two snapshots with exactly the
 * same commits. A table that is equal has its proof in the ledger, which then forgets what was changed before; one that
 * differs is stopped. A table that somebody wants to lock meanwhile is let go and has to wait for another round.
 *
 * @throws FlexliftError Contention where the applier does not answer or another prover is at work, SnapshotLost
 */
export async function proveTables(args: ProveTablesArguments): Promise<ProofRound> {
  return await withProofSessions(args, async (sessions) => {
    args.onProgress('waiting for the applier to stand at a snapshot of the source');
    const lsn = await importBothSnapshots(args, sessions);
    if (lsn === undefined) {
      const sentence = await longTransactions(sessions.source.lookout);
      return { proven: 0, differences: [], postponed: { sentence, concernsAll: true } };
    }
    const round = await proveUnderSnapshots(args, sessions, lsn);
    await Promise.all([sessions.source.reader.query('COMMIT'), sessions.target.reader.query('COMMIT')]);
    return round;
  });
}

async function proveUnderSnapshots(
  args: ProveTablesArguments,
  sessions: ProofSessions,
  lsn: Lsn,
): Promise<ProofRound> {
  const { ledger } = sessions;
  const round: ProofRound = { proven: 0, differences: [] };
  // as the ledger stood at the snapshot: a table that stopped before it cannot be equal
  const tables = await provableTables(sessions.target.reader, args.tableOids);
  for (const batch of tableBatches(tables)) {
    args.signal.throwIfAborted();
    args.onProgress(`prove ${namesOf(batch)}`);
    const found = await compareUnderSnapshots(sessions, batch, args.signal);
    const proofs: Proof[] = [];
    for (const [index, table] of batch.entries()) {
      const comparison = found[index] ?? 'undecided';
      if (comparison === 'undecided') round.postponed = wasHeldUp(table);
      else if (comparison.difference === undefined) {
        proofs.push({ table: table.oid, checksum: comparison.source, mark: comparison.mark });
      } else if (
        await stopDiffering(ledger, args.identity, { table: table.oid, lsn, failure: differs(table) })
      ) {
        round.differences.push(comparison.difference);
      }
    }
    round.proven += await recordProofs(ledger, args.identity, { lsn, proofs });
  }
  return round;
}

function wasHeldUp({ schema, name }: TableLoad): PostponedProofs {
  const object = quoteQualified(schema, name);
  return {
    sentence: `Table ${object} was being changed itself, or somebody waited to lock it.`,
    concernsAll: false,
  };
}

async function longTransactions(source: Client): Promise<string> {
  const writer = await oldestWriter(source);
  const oldest = writer === undefined ? '' : `; the oldest is ${writer}`;
  return `Transactions on the source have been running for too long to take a snapshot${oldest}.`;
}

function differs(table: TableLoad): FailureFields {
  const object = quoteQualified(table.schema, table.name);
  return {
    code: 'DifferenceFound',
    sentence: 'The table differs between source and target.',
    remedy: `Copy it anew with: flexlift recopy --table ${JSON.stringify(object)}.`,
    side: 'target',
    object,
  };
}
