/** What a migration says of itself: the status query, the workflow's result, `show --json`, the report. */
import type { FailureFields } from './errors';
import type { MigrationMode, MigrationOption } from './request';

/** Azure's states, and ours beside them: `SucceededUnverified`. */
export type MigrationState =
  | 'InProgress'
  | 'Succeeded'
  | 'SucceededUnverified'
  | 'ValidationFailed'
  | 'Failed'
  | 'Canceled'
  | 'CleaningUp';

/** The steps of one database, in their order. */
export const PHASES = [
  'Queued',
  'CreateDatabase',
  'DumpSchema',
  'PreData',
  'Load',
  'PostData',
  'Sequences',
  'MaterializedViews',
  'Analyze',
  'Compare',
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
  /** The largest tables and all that differ, at most {@link REPORTED_TABLES}; the ledger keeps the whole list. */
  tables?: TableReport[];
  /** How many tables the database has; `tables` may be shorter. */
  tablesTotal?: number;
  failure?: FailureFields;
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
  databases: DatabaseStatus[];
  failure?: FailureFields;
}

/** What a long activity's heartbeat carries; read with `describe`. */
export interface HeartbeatProgress {
  /** What is being worked on, for a person. */
  what: string;
  rows: number;
  bytes: number;
}

/** What the load's workflow answers to its query. */
export interface LoadProgress {
  planned: Amounts;
  copied: Amounts;
  indexes: { total: number; built: number };
}
