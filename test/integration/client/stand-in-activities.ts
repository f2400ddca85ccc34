import { Context } from '@temporalio/activity';
import type { HeartbeatProgress } from '../../../contract';

export const standInActivities = {
  /** Heartbeats until it is ended with its worker. */
  async applyChanges(): Promise<void> {
    const progress: HeartbeatProgress = {
      ...{ what: 'changes', rows: 7, bytes: 0 },
      replication: {
        ...{ at: '2026-01-31T10:00:00.000Z', lsn: '0/2', lagBytes: 1, lagSeconds: 1, changesPerSecond: 3 },
        changes: { transactions: 1, inserts: 1, updates: 0, deletes: 0, truncates: 0 },
        ...{ retainedBytes: 9, stoppedTables: [], drift: [], proven: { tables: 1, total: 1 } },
      },
    };
    for (;;) {
      Context.current().heartbeat(progress);
      await Context.current().sleep('200 ms');
    }
  },
};
