import type { FailureFields } from './errors';
import type { MigrationRequest } from './request';
import type { FenceMode } from './status';

/** Names that more than one process must agree on. */

export const PRODUCT = 'flexlift';

/** The task queues of one pool of workers. */
export interface TaskQueues {
  /** Workflows and short SQL. */
  control: string;
  /** Copies, index builds, checksums: its slots are the connection budget. */
  copy: string;
  /** Keepers and streams, which hold a slot for as long as their work lasts. */
  stream: string;
}

export function taskQueues(pool: string): TaskQueues {
  const base = `${PRODUCT}-${pool}`;
  return { control: base, copy: `${base}-copy`, stream: `${base}-stream` };
}

/** `migration/<target server>/<name>`. */
export function migrationWorkflowId(target: { host: string; port: number }, name: string): string {
  return `migration/${target.host}:${target.port}/${name}`;
}

export function databaseWorkflowId(migrationWorkflowId: string, database: string): string {
  return `${migrationWorkflowId}/db/${database}`;
}

export function loadWorkflowId(databaseWorkflowId: string): string {
  return `${databaseWorkflowId}/load`;
}

export function replicateWorkflowId(databaseWorkflowId: string): string {
  return `${databaseWorkflowId}/replicate`;
}

export function tidyWorkflowId(migrationWorkflowId: string): string {
  return `${migrationWorkflowId}/tidy`;
}

export const WORKFLOWS = {
  migration: 'migration',
  database: 'database',
  load: 'load',
  replicate: 'replicate',
  /** Takes away what is left on a source after a migration has ended: the fence, or all of it. */
  tidySource: 'tidySource',
} as const;

/** All of type Keyword; registered at the start of a worker or of the embedded server. */
export const SEARCH_ATTRIBUTES = {
  state: 'FlexliftState',
  mode: 'FlexliftMode',
  target: 'FlexliftTarget',
  sourceType: 'FlexliftSourceType',
} as const;

/** Answered by the migration with MigrationStatus, by a database with DatabaseStatus. */
export const STATUS_QUERY = 'status';
/** Answered by a load with LoadProgress. */
export const LOAD_QUERY = 'load';
/** Sent by a database to its migration, with DatabaseStatus, at every change of its phase. */
export const DATABASE_SIGNAL = 'databaseStatus';
/** Takes {@link CancelRequest}. */
export const CANCEL_UPDATE = 'cancel';

/** Answered by a replication with ReplicationStatus. */
export const REPLICATION_QUERY = 'replication';

/**
 * Signals from a migration to a database, with the same names as the updates they come from; see the requests below.
 * `end` goes to a replication alone, `replicationNotice` comes from it.
 */
export const END_SIGNAL = 'end';
export const REPLICATION_SIGNAL = 'replicationNotice';

/** Sent by a database to its migration with {@link OrderAnswer}. */
export const ANSWER_SIGNAL = 'orderAnswer';

/** Of a migration; each takes {@link DatabasesRequest} or what extends it and answers with MigrationStatus. */
export const CUTOVER_UPDATE = 'cutover';
export const ABORT_CUTOVER_UPDATE = 'abortCutover';
export const PAUSE_UPDATE = 'pause';
export const RESUME_UPDATE = 'resume';
export const RECOPY_UPDATE = 'recopy';
export const ACCEPT_DRIFT_UPDATE = 'acceptDrift';

/**
 * Of a migration: takes ThrottleRequest and answers with MigrationStatus. Its signal takes a ThrottleShare from a migration to
 * a database, and from there to a load.
 */
export const THROTTLE_UPDATE = 'throttle';
/** Answered by a load with the bytes a second that each of its copies may take now, null: as many as come. */
export const PACE_QUERY = 'pace';

export interface DatabasesRequest {
  /** Absent: all that it can apply to. */
  databases?: string[];
}

/** Answers when every named database is released or its cutover called off. */
export interface CutoverRequest extends DatabasesRequest {
  fence: FenceMode;
  /** It is refused while the applier is further behind. Bytes. */
  maxLagBytes: number;
  /** It is refused where tables of more than this are left to be compared behind the fence. Bytes. Absent: no limit. */
  maxCompareBytes?: number;
}

/** An order that a database was handed is taken up, or cannot be. */
export interface OrderAnswer {
  order: string;
  failure?: FailureFields;
}

export interface RecopyRequest {
  /** Absent: all that go on; to be named with a table where the migration has several. */
  database?: string;
  /** As a person writes it: `orders`, `sales.orders`, `"Sales"."Order lines"`. Absent: all tables, with a new slot. */
  table?: string;
}

/** The argument of the workflow `tidySource`. */
export interface TidySourceRequest {
  request: MigrationRequest;
  databases: string[];
  /** `fence`: only the fence is lifted; `all`: slots, publications, identities, fences, tables of ours. */
  what: 'fence' | 'all';
}

export interface CancelRequest {
  /** Overrides the request's `onCancel`. */
  onCancel?: 'keep-target' | 'drop-target';
}

/** What all that a migration makes on its source begins with: publications, slots, schemas. */
export function sourceObjectPrefix(migrationId: string): string {
  return `${PRODUCT}_${migrationId}`;
}

/** The names of what any migration of ours makes on a source; a regular expression of both SQL and JavaScript. */
export const SOURCE_OBJECT_PATTERN = `^${PRODUCT}_[0-9a-f]{12}(_|$)`;

/** The schema of ours in each target database. */
export const LEDGER_SCHEMA = 'flexlift';
