import type {
  Begin,
  Commit,
  Delete,
  Insert,
  LogicalMessage,
  Relation,
  RelationColumn,
  StreamEvent,
  Truncate,
  Update,
} from './change';
import { readUint16, readUint32, TupleReader, type Tuple } from './tuple';

const code = (letter: string) => letter.charCodeAt(0);
const [BEGIN, COMMIT, INSERT, UPDATE, DELETE] = ['B', 'C', 'I', 'U', 'D'].map(code);
const [RELATION, TYPE, ORIGIN, TRUNCATE, MESSAGE] = ['R', 'Y', 'O', 'T', 'M'].map(code);
const [OLD_KEY, OLD_ROW, NEW_ROW] = ['K', 'O', 'N'].map(code);

const COLUMN_IS_KEY = 1;
const CASCADE = 1;
const RESTART_IDENTITY = 2;
const TRANSACTIONAL = 1;

/** Milliseconds from 1970 to 2000, where the server's clock begins. */
const SERVER_EPOCH = 946_684_800_000;

/** The type of a Commit message, its flags (always 0) and the beginning of its record, which Begin told already. */
const COMMIT_HEADER_LENGTH = 1 + 1 + 8;

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
  private readonly tuples = new TupleReader();
  private latest: Relation | undefined;
  private bytes: Buffer = Buffer.alloc(0);
  private start = 0;
  private end = 0;
  private position = 0;

  /**
   * @param bytes stays in use: the values are views of it
   * @param start of the message in `bytes`
   * @param end behind it
   * @returns `undefined` where it tells nothing of its own: Relation, Type and Origin messages
   * @throws Error where it is none of the protocol's
   */
  decode(bytes: Buffer, start = 0, end = bytes.length): StreamEvent | undefined {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.position = start + 1;
    const event = this.event(bytes[start]);
    if (this.position > end) throw new Error('pgoutput sent a message that ends too early');
    return event;
  }

  private event(type: number | undefined): StreamEvent | undefined {
    switch (type) {
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
        throw new Error(`pgoutput sent a message of unknown type ${type}`);
    }
  }

  private insert(): Insert {
    const { bytes, start, end } = this;
    const relation = this.relation();
    this.expect(NEW_ROW);
    return { kind: 'insert', relation, row: this.tuple(), bytes, start, end };
  }

  private update(): Update {
    const { bytes, start, end } = this;
    const relation = this.relation();
    const old = bytes[this.position] === NEW_ROW ? undefined : this.oldTuple();
    this.expect(NEW_ROW);
    return { kind: 'update', relation, old, row: this.tuple(), bytes, start, end };
  }

  private delete(): Delete {
    const { bytes, start, end } = this;
    const relation = this.relation();
    return { kind: 'delete', relation, old: this.oldTuple(), bytes, start, end };
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
      bytes: this.bytes,
      start: this.start,
      end: this.end,
    };
  }

  private begin(): Begin {
    return { kind: 'begin', commitLsn: this.uint64(), commitTime: this.time(), xid: this.uint32() };
  }

  private commit(): Commit {
    this.position = this.start + COMMIT_HEADER_LENGTH;
    return { kind: 'commit', endLsn: this.uint64() };
  }

  private logicalMessage(): LogicalMessage {
    const transactional = (this.uint8() & TRANSACTIONAL) !== 0;
    const lsn = this.uint64();
    const prefix = this.text();
    const length = this.uint32();
    const content = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return { kind: 'message', transactional, lsn, prefix, content };
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
    // a copy: it stays for as long as the stream
    const message = Buffer.from(this.bytes.subarray(this.start, this.end));
    this.relations.set(oid, { oid, schema, name, replicaIdentity, columns, message });
    this.latest = undefined;
  }

  private column(): RelationColumn {
    const isKey = (this.uint8() & COLUMN_IS_KEY) !== 0;
    return { isKey, name: this.text(), typeOid: this.uint32(), typmod: this.uint32() | 0 };
  }

  private relation(): Relation {
    const oid = this.uint32();
    if (this.latest?.oid === oid) return this.latest;
    const relation = this.relations.get(oid);
    this.latest = relation;
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
    const tuple = this.tuples.read(this.bytes, this.position);
    this.position = this.tuples.end;
    return tuple;
  }

  private expect(kind: number | undefined): void {
    const found = this.uint8();
    if (found !== kind) throw new Error(`pgoutput sent a row of unknown kind ${found}`);
  }

  private uint8(): number {
    return this.bytes.readUInt8(this.position++);
  }

  private uint16(): number {
    this.position += 2;
    return readUint16(this.bytes, this.position - 2);
  }

  private uint32(): number {
    this.position += 4;
    return readUint32(this.bytes, this.position - 4);
  }

  private uint64(): bigint {
    this.position += 8;
    return this.bytes.readBigUInt64BE(this.position - 8);
  }

  private time(): number {
    const [high, low] = [this.uint32() | 0, this.uint32()];
    return SERVER_EPOCH + (high * 2 ** 32 + low) / 1000;
  }

  private text(): string {
    const end = this.bytes.indexOf(0, this.position);
    if (end < 0) throw new Error('pgoutput sent a text without an end');
    const text = this.bytes.toString('utf8', this.position, end);
    this.position = end + 1;
    return text;
  }
}
