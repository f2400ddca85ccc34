/** What a migration says of itself: the status query, the workflow's result, `show --json`, the report. */
import type { FailureFields } from './errors';
import type { Concurrency, MigrationMode, MigrationOption } from './request';
import type { Throttle } from './throttle';

/** Azure's states, and ours beside them: `SucceededUnverified`, `NeedsCleanup`. */
export type MigrationState =
  | 'InProgress'
  | 'WaitingForUserAction'
  | 'Succeeded'
  | 'SucceededUnverified'
  | 'ValidationFailed'
  | 'Failed'
  | 'Canceled'
  | 'CleaningUp'
  | 'NeedsCleanup';

/** The steps of one database, in the order of an online migration; an offline one leaves some out. */
export const PHASES = [
  'Queued',
  'CreateDatabase',
  'PrepareSource',
  'DumpSchema',
  'PreData',
  'Load',
  'Replicate',
  'Prove',
  'PrepareCutover',
  'Fence',
  'Drain',
  'LateRows',
  'PostData',
  'Sequences',
  'MaterializedViews',
  'Analyze',
  'Compare',
  'CompareCatalog',
  'LastLook',
  'Release',
  'Done',
] as const;
export type Phase = (typeof PHASES)[number];

export type FindingState = 'Succeeded' | 'Warning' | 'Failed';

/** What one rule of the validation found. */
export interface Finding {
  /** The rule's stable name, e.g. `target-empty`. */
  rule: string;
  state: FindingState;
  /** Absent: the finding is about the servers. */
  database?: string;
  /** What was found, one sentence. */
  message: string;
  /** What to do about it, one sentence; absent where it succeeded. */
  remedy?: string;
}

/** The copied amounts of a table, a part, a group or a database. */
export interface Amounts {
  tables: number;
  rows: number;
  bytes: number;
}

/** One table's line in the report. */
export interface TableReport {
  /** Quoted, schema-qualified. */
  table: string;
  rows: number;
  /** Bytes of COPY data moved. */
  bytes: number;
  seconds: number;
  parts: number;
  /** How many copies of its parts were committed; more than `parts` where a lost snapshot made it start anew. */
  copies: number;
  /** Absent where nothing was compared. */
  sourceChecksum?: string;
  targetChecksum?: string;
  equal?: boolean;
}

/** So many are listed at most: a history takes 2 MB at a time, and mending the first ones mends many of their kind. */
export const MOST_DIFFERENCES = 500;

/** Stopped tables, and drifts of the schema, that a status carries: it is told once a second. All are in the ledger. */
export const MOST_IN_PROGRESS = 100;

/** Names of what was not compared that a status carries. */
export const MOST_NOT_COMPARED = 50;

/** One difference found by the comparison. */
export interface Difference {
  kind: 'rows' | 'checksum' | 'sequence' | 'catalog' | 'large-object' | 'materialized-view';
  /** Quoted, schema-qualified name of the table, sequence or object. */
  object: string;
  /** What differs, one sentence, with both sides. */
  message: string;
  /** The first differing keys of a table, as text. */
  keys?: string[];
}

/** Where the replication of a database stands. */
export type ReplicationState =
  /** Not all that was committed before the load's end is applied yet, or its live lag is over {@link READY_LAG_SECONDS}. */
  | 'CatchingUp'
  | 'ReadyForCutover'
  /** By request. */
  | 'Paused'
  /** By a failure that a person must look at; says so in `failure`. */
  | 'Stopped';

/** An applier this close to the source is ready for the cutover. Seconds. */
export const READY_LAG_SECONDS = 10;

/** Rows changed on the target by the applier, and how many transactions of the source they came in. */
export interface ChangeCounts {
  transactions: number;
  inserts: number;
  updates: number;
  deletes: number;
  truncates: number;
}

/** The live figures of a database's replication. */
export interface ReplicationProgress {
  /** When the figures were so; ISO 8601. */
  at: string;
  /** The ledger's position: all that was committed before it is on the target. E.g. `0/16B3748`. */
  lsn: string;
  /** WAL of the source that is not applied yet, of all its databases. */
  lagBytes: number;
  /** Age of the oldest commit that is not applied yet, 0 where all are. */
  lagSeconds: number;
  /** Since the beginning. */
  changes: ChangeCounts;
  /** Row changes applied, over the last seconds. */
  changesPerSecond: number;
  /** WAL that the source keeps for our slot. */
  retainedBytes: number;
  /** `max_slot_wal_keep_size`; absent: no limit. */
  retainedLimitBytes?: number;
  /** Until the limit is reached at the present rate; absent: never. */
  secondsToLimit?: number;
  /** Tables whose changes are not applied; no more than {@link MOST_IN_PROGRESS}. */
  stoppedTables: StoppedTable[];
  /** What changed in the source's schema since it was dumped; no more than {@link MOST_IN_PROGRESS}. */
  drift: Difference[];
  /** Tables proven equal while changes were applied. */
  proven: { tables: number; total: number };
}

export interface StoppedTable {
  /** Quoted, schema-qualified. */
  table: string;
  failure: FailureFields;
}

export interface ReplicationStatus extends ReplicationProgress {
  state: ReplicationState;
  /**
   * Foreign keys that are built at the cutover, for they do not hold before, or the target may not act as a replica.
   * Absent: they were not tried yet.
   */
  waitingForeignKeys?: number;
  /** Why the last tables that were to be proven were not: one sentence. Absent: they were. */
  proofsPostponed?: string;
  failure?: FailureFields;
}

/** One try to cut a database over. */
export interface CutoverReport {
  /** From 1 on. */
  attempt: number;
  state: 'Running' | 'Released' | 'CalledOff';
  fence: FenceMode;
  startedAt: string;
  endedAt?: string;
  fencedAt?: string;
  /** For how long the application could not write: from the fence to the release, or to its lifting. */
  fencedSeconds?: number;
  /** The steps that have begun and not ended, in the order of their beginning. Absent: not told by earlier code. */
  underWay?: Phase[];
  /** Seconds of each step that has ended. */
  seconds: Partial<Record<Phase, number>>;
  /** Why it was called off. */
  failure?: FailureFields;
}

/** How writers are kept from the source during the cutover, and after. */
export type FenceMode = 'read-only' | 'revoke-connect' | 'none';

export interface DatabaseStatus {
  database: string;
  state: MigrationState;
  phase: Phase;
  /** Totals known after planning. */
  planned?: Amounts;
  /** What is on the target and committed. */
  copied: Amounts;
  startedAt?: string;
  endedAt?: string;
  /** Seconds per finished phase. */
  seconds: Partial<Record<Phase, number>>;
  differences: Difference[];
  /**
   * Quoted names of materialized views whose rows on the target are others than on the source, and may be: their queries ask
   * for the time, a session or chance, depend on the order of rows, or read under policies.
   */
  notCompared?: string[];
  /** The largest tables and all that differ, at most {@link REPORTED_TABLES}; the ledger keeps the whole list. */
  tables?: TableReport[];
  /** How many tables the database has; `tables` may be shorter. */
  tablesTotal?: number;
  failure?: FailureFields;
  /** Online only, from its start on. */
  replication?: ReplicationStatus;
  /**
   * What a person should know though the migration goes on: a table's new copy, the source's clean-up or ANALYZE failed.
   */
  notice?: FailureFields;
  /** The last try. */
  cutover?: CutoverReport;
  /** What the migration has made on the source and not taken away yet, for a person: `slot flexlift_…`. */
  sourceObjects?: string[];
  /** Takes them away: what a person runs in the database on the source. Only where the migration could not. */
  cleanUpSql?: string;
}

/** Bounds the report inside a workflow's result: a payload may not exceed 256 KB. */
export const REPORTED_TABLES = 200;

/** What the status query answers and what the migration's workflow returns. */
export interface MigrationStatus {
  /** Version of this shape. */
  version: 1;
  migrationId: string;
  name: string;
  mode: MigrationMode;
  option: MigrationOption;
  state: MigrationState;
  source: string;
  target: string;
  startedAt: string;
  endedAt?: string;
  findings: Finding[];
  /** Absent before the servers were looked at. */
  concurrency?: Concurrency;
  /** As it is now. Absent: no bounds. */
  throttle?: Throttle;
  databases: DatabaseStatus[];
  failure?: FailureFields;
}

/** What a long activity's heartbeat carries; read with `describe`. */
export interface HeartbeatProgress {
  /** What is being worked on, for a person. */
  what: string;
  rows: number;
  bytes: number;
  /** Of the applier. */
  replication?: ReplicationProgress;
  /** What the attempt before said last. */
  replicationBefore?: ReplicationProgress;
}

/** What the load's workflow answers to its query. */
export interface LoadProgress {
  planned: Amounts;
  copied: Amounts;
  indexes: { total: number; built: number };
}
