import type { Client } from 'pg';
import type { Difference, ReplicationProgress } from '../../../contract';
import { endPredecessors, withConnection, type Endpoint } from '../../connect';
import type { LedgerIdentity } from '../../ledger';
import { ChangeRejection } from '../apply';
import { ApplierRun } from './applier-run';
import type { Until } from './met-markers';
import type { ProofLimits } from './proof-hold';
import { stopTable } from './stopped-table';

export interface ApplyArguments {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  /** Sessions of earlier attempts at the same work: ended on both sides first. */
  predecessorPrefix: string;
  /** The run ends when its marker was met and all before it is committed. It serves no proofs. */
  until?: Until;
  /** The run ends after so long, between two batches. */
  seconds?: number;
  /** Ends the run between two batches, as soon as possible. */
  stop: AbortSignal;
  /** Ends the run at once, with the signal's reason. */
  signal: AbortSignal;
  /** About once a second. */
  onProgress?: (progress: ReplicationProgress) => void;
  /** How often the slot is looked at, and `onWatch` called. Milliseconds. */
  watchInterval: number;
  /**
   * Looks on the source for what changed in its schema; the result goes into the ledger and the progress. What it throws
   * does not end the run.
   */
  onWatch?: (source: Client) => Promise<Difference[]>;
  proofLimits?: Partial<ProofLimits>;
}

export interface Applied {
  ended: 'marker' | 'refused' | 'time' | 'stopped';
  progress: ReplicationProgress;
  /** The first change where none was to be; neither it nor what follows was applied. */
  refused?: RefusedChange;
}

export interface RefusedChange {
  /** Quoted, schema-qualified. */
  table: string;
  /** ISO 8601, by the source's clock. */
  commitTime: string;
  /** Where its commit record begins. */
  lsn: string;
}

/**
 * Reads the slot from where the ledger stands and applies what comes, exactly once: batches of whole transactions, each
 * in one transaction of the target that moves the ledger on; only then is the position confirmed to the source. A table
 * that refuses a change is stopped, and the stream starts again without it.
 *
 * @throws FlexliftError SlotLost, TargetRewound, SourceRewound, LoadIncomplete, Contention (another applier is at work),
 * LedgerForeign, LedgerReleased, and what either server or the network throws: then a new run goes on from the ledger
 */
export async function applyChanges(args: ApplyArguments): Promise<Applied> {
  return await withConnection(args.target, args.database, args.signal, async (target) => {
    await endPredecessors(target, args.predecessorPrefix);
    const deadline = args.seconds === undefined ? Infinity : performance.now() + args.seconds * 1000;
    for (;;) {
      const run = await ApplierRun.prepare(args, target, deadline);
      try {
        return await run.toEnd();
      } catch (error) {
        if (!(error instanceof ChangeRejection)) throw error;
        const { tableOid: oid, fields: failure } = error;
        await stopTable(target, args.identity, { oid, failure, lsn: run.position });
      }
    }
  });
}
