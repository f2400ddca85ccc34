import type { FailureFields, ReplicationProgress } from '../contract';

/** What the slot would have sent cannot be had any more: there is nothing to watch. */
export function isStreamGone(failure: FailureFields | undefined): boolean {
  return failure?.code === 'SlotLost' || failure?.code === 'SourceRewound';
}

/** Where nothing was measured yet. */
export const NO_FIGURES: Omit<ReplicationProgress, 'at'> = {
  lsn: '0/0',
  lagBytes: 0,
  lagSeconds: 0,
  changes: { transactions: 0, inserts: 0, updates: 0, deletes: 0, truncates: 0 },
  changesPerSecond: 0,
  retainedBytes: 0,
  stoppedTables: [],
  drift: [],
  proven: { tables: 0, total: 0 },
};
