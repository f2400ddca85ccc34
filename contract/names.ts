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

export const WORKFLOWS = { migration: 'migration', database: 'database', load: 'load' } as const;

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

export interface CancelRequest {
  /** Overrides the request's `onCancel`. */
  onCancel?: 'keep-target' | 'drop-target';
}

/** The schema of ours in each target database. */
export const LEDGER_SCHEMA = 'flexlift';
