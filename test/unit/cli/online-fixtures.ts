import type { CutoverReport, DatabaseStatus, MigrationStatus, ReplicationStatus } from '../../../contract';

export const failure = {
  code: 'ChangeRejected' as const,
  sentence: 'A row that is to be updated is missing.',
  remedy: 'Copy the table anew: flexlift recopy.',
};

export function replication(change: Partial<ReplicationStatus> = {}): ReplicationStatus {
  return {
    state: 'ReadyForCutover',
    at: '2026-01-31T10:00:00.000Z',
    lsn: '0/16B3748',
    lagBytes: 12_300,
    lagSeconds: 0.4,
    changes: { transactions: 678, inserts: 12_345, updates: 0, deletes: 1, truncates: 0 },
    changesPerSecond: 532.4,
    retainedBytes: 16_000_000,
    stoppedTables: [],
    drift: [],
    proven: { tables: 14, total: 20 },
    ...change,
  };
}

export function cutover(change: Partial<CutoverReport> = {}): CutoverReport {
  return {
    attempt: 2,
    state: 'Released',
    fence: 'read-only',
    startedAt: '2026-01-31T10:00:00.000Z',
    fencedAt: '2026-01-31T10:00:02.000Z',
    endedAt: '2026-01-31T10:00:06.000Z',
    fencedSeconds: 3.4,
    underWay: [],
    seconds: { Prove: 1.6, Fence: 0.2, Drain: 0.5 },
    ...change,
  };
}

export function database(change: Partial<DatabaseStatus> = {}): DatabaseStatus {
  return {
    database: 'shop',
    state: 'WaitingForUserAction',
    phase: 'Replicate',
    copied: { tables: 20, rows: 1_000, bytes: 5_000_000 },
    startedAt: '2026-01-31T09:00:00Z',
    seconds: { Load: 12.3 },
    differences: [],
    replication: replication(),
    ...change,
  };
}

export function migration(
  databases: DatabaseStatus[],
  change: Partial<MigrationStatus> = {},
): MigrationStatus {
  return {
    version: 1,
    migrationId: 'a1b2c3d4e5f6',
    name: 'm',
    mode: 'Online',
    option: 'ValidateAndMigrate',
    state: 'InProgress',
    source: 'old:5432',
    target: 'new:5432',
    startedAt: '2026-01-31T09:00:00Z',
    findings: [],
    databases,
    ...change,
  };
}
