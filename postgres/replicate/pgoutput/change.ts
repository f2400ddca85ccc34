import type { Lsn } from '../lsn';
import type { Tuple } from './tuple';

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

/** Where the message itself lies, for the spool: in `bytes`, from `start` to `end`. */
interface MessageSpan {
  bytes: Buffer;
  start: number;
  end: number;
}

export interface Insert extends MessageSpan {
  kind: 'insert';
  relation: Relation;
  row: Tuple;
}

export interface Update extends MessageSpan {
  kind: 'update';
  relation: Relation;
  /** `key`: the old key, sent only where it changed; `full`: the whole old row (REPLICA IDENTITY FULL). */
  old?: { kind: 'key' | 'full'; row: Tuple };
  row: Tuple;
}

export interface Delete extends MessageSpan {
  kind: 'delete';
  relation: Relation;
  old: { kind: 'key' | 'full'; row: Tuple };
}

/** All tables of one TRUNCATE. */
export interface Truncate extends MessageSpan {
  kind: 'truncate';
  relations: Relation[];
  cascade: boolean;
  restartIdentity: boolean;
}

export type RowChange = Insert | Update | Delete;
export type Change = RowChange | Truncate;

/**
 * The tables that changes are of; one that was described anew in between is there twice.
 *
 * @param relations what is known so far; they are added to it
 */
export function relationsIn(changes: Iterable<Change>, relations = new Set<Relation>()): Set<Relation> {
  for (const change of changes) {
    if (change.kind !== 'truncate') relations.add(change.relation);
    else for (const relation of change.relations) relations.add(relation);
  }
  return relations;
}

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
  /** Where its commit record ends: with it applied, the stream can go on from here. */
  endLsn: Lsn;
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
