import type { Lsn } from '../lsn';

/** A value that is not sent: it lies in TOAST and the UPDATE left it alone. */
export const UNCHANGED = Symbol('unchanged TOAST value');

/** A value as the server's output function wrote it, in UTF-8; a slice of the message it came in. */
export type Value = Buffer | null | typeof UNCHANGED;

export interface RelationColumn {
  name: string;
  /** Part of the replica identity. */
  isKey: boolean;
  typeOid: number;
  typmod: number;
}

/** A table of the source as it was when the change was made. One object per Relation message: compare by reference. */
export interface Relation {
  oid: number;
  schema: string;
  name: string;
  /** `pg_class.relreplident`. */
  replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  /** Generated columns are not among them. */
  columns: RelationColumn[];
  /** The message itself, for the spool. */
  message: Buffer;
}

/** Values in the order of the relation's columns; those that are no part of a key tuple are null. */
export type Tuple = Value[];

interface ChangeBase {
  /** The message itself, for the spool. */
  message: Buffer;
}

export interface Insert extends ChangeBase {
  kind: 'insert';
  relation: Relation;
  row: Tuple;
}

export interface Update extends ChangeBase {
  kind: 'update';
  relation: Relation;
  /** `key`: the old key, sent only where it changed; `full`: the whole old row (REPLICA IDENTITY FULL). */
  old?: { kind: 'key' | 'full'; row: Tuple };
  row: Tuple;
}

export interface Delete extends ChangeBase {
  kind: 'delete';
  relation: Relation;
  old: { kind: 'key' | 'full'; row: Tuple };
}

/** All tables of one TRUNCATE. */
export interface Truncate extends ChangeBase {
  kind: 'truncate';
  relations: Relation[];
  cascade: boolean;
  restartIdentity: boolean;
}

export type RowChange = Insert | Update | Delete;
export type Change = RowChange | Truncate;

export interface Begin {
  kind: 'begin';
  /** Where its commit record begins: a table's copy holds it if that is before the copy's LSN. */
  commitLsn: Lsn;
  /** Milliseconds since 1970. */
  commitTime: number;
  xid: number;
}

export interface Commit {
  kind: 'commit';
  commitLsn: Lsn;
  /** Where its commit record ends: with it applied, the stream can go on from here. */
  endLsn: Lsn;
  commitTime: number;
}

/** `pg_logical_emit_message`; from 14 on. */
export interface LogicalMessage {
  kind: 'message';
  transactional: boolean;
  lsn: Lsn;
  prefix: string;
  content: Buffer;
}

/** All commits before it have been sent. From keepalives; never in the middle of a transaction. */
export interface Position {
  kind: 'position';
  lsn: Lsn;
}

/** What comes out of the slot, in its order. */
export type StreamEvent = Begin | Change | LogicalMessage | Commit | Position;
