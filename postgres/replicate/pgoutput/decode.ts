import {
  UNCHANGED,
  type Begin,
  type Commit,
  type Delete,
  type Insert,
  type LogicalMessage,
  type Relation,
  type RelationColumn,
  type StreamEvent,
  type Truncate,
  type Tuple,
  type Update,
  type Value,
} from './change';

const code = (letter: string) => letter.charCodeAt(0);
const [BEGIN, COMMIT, INSERT, UPDATE, DELETE] = ['B', 'C', 'I', 'U', 'D'].map(code);
const [RELATION, TYPE, ORIGIN, TRUNCATE, MESSAGE] = ['R', 'Y', 'O', 'T', 'M'].map(code);
const [NULL_VALUE, UNCHANGED_VALUE, TEXT_VALUE] = ['n', 'u', 't'].map(code);
const [OLD_KEY, OLD_ROW, NEW_ROW] = ['K', 'O', 'N'].map(code);

const COLUMN_IS_KEY = 1;
const CASCADE = 1;
const RESTART_IDENTITY = 2;
const TRANSACTIONAL = 1;

/** Milliseconds from 1970 to 2000, where the server's clock begins. */
const SERVER_EPOCH = 946_684_800_000;

const REPLICA_IDENTITIES: Record<string, Relation['replicaIdentity']> = {
  d: 'default',
  n: 'nothing',
  f: 'full',
  i: 'index',
};

/**
 * Reads the messages of pgoutput's protocol version 1; one decoder for one stream, for it remembers the relations.
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class PgoutputDecoder {
  private readonly relations = new Map<number, Relation>();
  private message: Buffer = Buffer.alloc(0);
  private position = 0;

  /**
   * @param message stays in use: the values are slices of it
   * @returns `undefined` where it tells nothing of its own: Relation, Type and Origin messages
   * @throws Error where it is none of the protocol's
   */
  decode(message: Buffer): StreamEvent | undefined {
    this.message = message;
    this.position = 1;
    switch (message[0]) {
      case INSERT:
        return this.insert();
      case UPDATE:
        return this.update();
      case DELETE:
        return this.delete();
      case BEGIN:
        return this.begin();
      case COMMIT:
        return this.commit();
      case RELATION:
        this.keepRelation();
        return undefined;
      case TRUNCATE:
        return this.truncate();
      case MESSAGE:
        return this.logicalMessage();
      case TYPE:
      case ORIGIN:
        return undefined;
      default:
        throw new Error(`pgoutput sent a message of unknown type ${message[0]}`);
    }
  }

  private insert(): Insert {
    const relation = this.relation();
    this.expect(NEW_ROW);
    return { kind: 'insert', relation, row: this.tuple(), message: this.message };
  }

  private update(): Update {
    const relation = this.relation();
    const old = this.message[this.position] === NEW_ROW ? undefined : this.oldTuple();
    this.expect(NEW_ROW);
    return { kind: 'update', relation, old, row: this.tuple(), message: this.message };
  }

  private delete(): Delete {
    const relation = this.relation();
    return { kind: 'delete', relation, old: this.oldTuple(), message: this.message };
  }

  private truncate(): Truncate {
    const count = this.uint32();
    const flags = this.uint8();
    const relations = Array.from({ length: count }, () => this.relation());
    return {
      kind: 'truncate',
      relations,
      cascade: (flags & CASCADE) !== 0,
      restartIdentity: (flags & RESTART_IDENTITY) !== 0,
      message: this.message,
    };
  }

  private begin(): Begin {
    return { kind: 'begin', commitLsn: this.uint64(), commitTime: this.time(), xid: this.uint32() };
  }

  private commit(): Commit {
    // flags, always 0
    this.uint8();
    return { kind: 'commit', commitLsn: this.uint64(), endLsn: this.uint64(), commitTime: this.time() };
  }

  private logicalMessage(): LogicalMessage {
    const transactional = (this.uint8() & TRANSACTIONAL) !== 0;
    const lsn = this.uint64();
    const prefix = this.text();
    return { kind: 'message', transactional, lsn, prefix, content: this.bytes(this.uint32()) };
  }

  private keepRelation(): void {
    const oid = this.uint32();
    // the server spares itself the name of its own schema
    const schema = this.text() || 'pg_catalog';
    const name = this.text();
    const identity = String.fromCharCode(this.uint8());
    const replicaIdentity = REPLICA_IDENTITIES[identity];
    if (replicaIdentity === undefined) throw new Error(`pgoutput sent the replica identity ${identity}`);
    const columns = Array.from({ length: this.uint16() }, () => this.column());
    this.relations.set(oid, { oid, schema, name, replicaIdentity, columns, message: this.message });
  }

  private column(): RelationColumn {
    const isKey = (this.uint8() & COLUMN_IS_KEY) !== 0;
    return { isKey, name: this.text(), typeOid: this.uint32(), typmod: this.uint32() | 0 };
  }

  private relation(): Relation {
    const oid = this.uint32();
    const relation = this.relations.get(oid);
    if (relation === undefined) throw new Error(`pgoutput sent no Relation message for oid ${oid}`);
    return relation;
  }

  private oldTuple(): Delete['old'] {
    const kind = this.uint8();
    if (kind === OLD_KEY) return { kind: 'key', row: this.tuple() };
    if (kind === OLD_ROW) return { kind: 'full', row: this.tuple() };
    throw new Error(`pgoutput sent an old row of unknown kind ${kind}`);
  }

  private tuple(): Tuple {
    const count = this.uint16();
    const row = new Array<Value>(count);
    for (let index = 0; index < count; index++) row[index] = this.value();
    return row;
  }

  private value(): Value {
    const kind = this.uint8();
    if (kind === TEXT_VALUE) return this.bytes(this.uint32());
    if (kind === NULL_VALUE) return null;
    if (kind === UNCHANGED_VALUE) return UNCHANGED;
    throw new Error(`pgoutput sent a value of unknown kind ${kind}`);
  }

  private expect(kind: number | undefined): void {
    const found = this.uint8();
    if (found !== kind) throw new Error(`pgoutput sent a row of unknown kind ${found}`);
  }

  private uint8(): number {
    return this.message.readUInt8(this.position++);
  }

  private uint16(): number {
    this.position += 2;
    return this.message.readUInt16BE(this.position - 2);
  }

  private uint32(): number {
    this.position += 4;
    return this.message.readUInt32BE(this.position - 4);
  }

  private uint64(): bigint {
    this.position += 8;
    return this.message.readBigUInt64BE(this.position - 8);
  }

  private time(): number {
    return SERVER_EPOCH + Number(BigInt.asIntN(64, this.uint64())) / 1000;
  }

  private bytes(length: number): Buffer {
    const end = this.position + length;
    if (end > this.message.length) throw new Error('pgoutput sent a message that ends too early');
    const slice = this.message.subarray(this.position, end);
    this.position = end;
    return slice;
  }

  private text(): string {
    const end = this.message.indexOf(0, this.position);
    if (end < 0) throw new Error('pgoutput sent a text without an end');
    const text = this.message.toString('utf8', this.position, end);
    this.position = end + 1;
    return text;
  }
}
