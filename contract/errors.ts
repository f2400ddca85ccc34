/**
 * The one vocabulary of failures. Every failure a user can meet is one of these codes: a sentence that says what
 * happened and where, and a remedy that says what to do. Codes are stable: they are the Temporal failure's `type`
 * and part of `--json` output.
 */

/**
 * What the engine does with a failure of this class once a migration has changed something:
 * - `transient`: retried without end (a server restarts, a connection drops, a lock is held);
 * - `waiting`: retried without end, for a person has to act (a missing key, a full disk);
 * - `permanent`: stops the migration; a retry would fail the same way.
 */
export type FailureClass = 'transient' | 'waiting' | 'permanent';

export const FAILURE_CLASSES = {
  /** The host or port does not answer, or the connection broke. SQLSTATE class 08, ECONNREFUSED, ETIMEDOUT… */
  Unreachable: 'transient',
  /** The server is starting, stopping or was restarted. SQLSTATE 57P01, 57P02, 57P03. */
  ServerRestarting: 'transient',
  /** No connection slot is free. SQLSTATE 53300. */
  TooManyConnections: 'transient',
  /** Lock not available, deadlock or serialization failure. SQLSTATE 55P03, 40P01, 40001, 55006. */
  Contention: 'transient',
  /** A statement was cancelled by somebody else. SQLSTATE 57014. */
  StatementCancelled: 'transient',
  /** The snapshot's holder is gone; the next keeper takes a new one. */
  SnapshotLost: 'transient',
  /** Anything unknown that may pass. */
  Unexpected: 'transient',
  /** Disk, memory or another resource is exhausted. SQLSTATE class 53 but 53300, 58030. */
  ResourceExhausted: 'waiting',
  /** The worker lacks the key a sealed password was sealed with. */
  SealKeyMissing: 'waiting',
  /** A password reference points to nothing the worker has. */
  SecretMissing: 'waiting',
  /** The release was begun, and the target does not say whether it was carried out. */
  ReleaseUnknown: 'waiting',
  /** Wrong password, no pg_hba entry, unknown role. SQLSTATE class 28. */
  AuthenticationFailed: 'permanent',
  /** The database does not exist. SQLSTATE 3D000. */
  DatabaseMissing: 'permanent',
  /** A right is missing. SQLSTATE 42501. */
  PermissionDenied: 'permanent',
  /** The server refuses the data (a constraint, a wrong value). SQLSTATE classes 22 and 23, XX001, XX002. */
  DataRejected: 'permanent',
  /** The server refuses the statement. SQLSTATE classes 0A, 42 and all others. */
  StatementRejected: 'permanent',
  /** A finding of the validation is `Failed`. */
  ValidationFailed: 'permanent',
  /** The request itself is wrong; names the field. */
  InvalidRequest: 'permanent',
  /** pg_dump is missing, too old, or failed. */
  ClientToolFailed: 'permanent',
  /** The ledger is missing, belongs to another migration, or is newer than this worker. */
  LedgerForeign: 'permanent',
  /** The target was released: nothing of this migration may write to it any more. */
  LedgerReleased: 'permanent',
  /** The target database exists and is not empty. */
  TargetNotEmpty: 'permanent',
  /** The source's schema changed after it was dumped. */
  SchemaDrift: 'permanent',
  /** The replication slot is gone or its WAL was removed: what it would have sent cannot be had any more. */
  SlotLost: 'permanent',
  /**
   * The ledger's position is behind the slot's: the target lost commits it had confirmed (a restore, a failover). Offline: a
   * crash has emptied its unlogged tables.
   */
  TargetRewound: 'permanent',
  /** The source is another server, or its WAL ends, or left the timeline we know, before the ledger's position. */
  SourceRewound: 'permanent',
  /** The load was ended before all was copied and indexed: there is nothing to apply changes to. */
  LoadIncomplete: 'permanent',
  /** A change cannot be applied: a row it expects is missing, or the target refuses it. Stops its table. */
  ChangeRejected: 'permanent',
  /** The cutover cannot begin, or go on, as things stand; says why. */
  CutoverRefused: 'permanent',
  /** The source took a write after it was fenced. */
  FenceBroken: 'permanent',
  /** Something of the migration is still on the source, which cannot be reached; says by what SQL it goes. */
  CleanUpNeeded: 'permanent',
  /** The comparison found a difference. */
  DifferenceFound: 'permanent',
  /** No Temporal server answers. */
  TemporalUnreachable: 'permanent',
  /** No worker polls the queue. */
  NoWorker: 'permanent',
  /** The migration's name is taken by one with other options. */
  NameTaken: 'permanent',
  /** There is no migration of that name. */
  MigrationUnknown: 'permanent',
} as const satisfies Record<string, FailureClass>;

export type FailureCode = keyof typeof FAILURE_CLASSES;

/** Where it happened. Never holds a value of a row or a secret. */
export interface FailurePlace {
  /** `source` or `target`. */
  side?: 'source' | 'target';
  /** `host:port`. */
  server?: string;
  database?: string;
  /** The object's quoted name, e.g. `"Sales"."Order lines"`. */
  object?: string;
}

export interface FailureFields extends FailurePlace {
  code: FailureCode;
  /** What happened, one sentence, ends with a full stop. */
  sentence: string;
  /** What to do, one sentence, ends with a full stop. */
  remedy: string;
  /** The server's SQLSTATE, five characters, where it gave one. */
  sqlState?: string;
}

/**
 * A failure with its remedy. `message` is the whole story in one line: sentence, place, SQLSTATE, remedy.
 * The activity layer turns it into a Temporal `ApplicationFailure` whose `type` is the code and whose first detail is
 * {@link FailureFields}.
 */
export class FlexliftError extends Error {
  readonly fields: FailureFields;

  constructor(fields: FailureFields, options?: { cause?: unknown }) {
    super(describeFailure(fields), options);
    this.name = 'FlexliftError';
    this.fields = fields;
  }

  get code(): FailureCode {
    return this.fields.code;
  }

  get failureClass(): FailureClass {
    return FAILURE_CLASSES[this.fields.code];
  }
}

export function describeFailure(fields: FailureFields): string {
  const place = [
    fields.side,
    fields.server,
    fields.database === undefined ? undefined : `database ${JSON.stringify(fields.database)}`,
    fields.object,
  ].filter((part) => part !== undefined);
  const where = place.length > 0 ? ` (${place.join(', ')})` : '';
  const state = fields.sqlState === undefined ? '' : ` [SQLSTATE ${fields.sqlState}]`;
  return `${fields.sentence}${where}${state} ${fields.remedy}`;
}

export function isFailureCode(text: string): text is FailureCode {
  return Object.hasOwn(FAILURE_CLASSES, text);
}
