import { PgoutputDecoder, UNCHANGED } from '../../../postgres/replicate/pgoutput';

const int16 = (value: number) => bytes(2, (buffer) => buffer.writeUInt16BE(value));
const int32 = (value: number) => bytes(4, (buffer) => buffer.writeUInt32BE(value));
const int64 = (value: bigint) => bytes(8, (buffer) => buffer.writeBigInt64BE(value));
const text = (value: string) => Buffer.from(`${value}\0`);
const value = (content: string) =>
  Buffer.concat([Buffer.from('t'), int32(Buffer.byteLength(content)), Buffer.from(content)]);
const letter = (code: string) => Buffer.from(code);
const message = (...parts: Buffer[]) => Buffer.concat(parts);

function bytes(length: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(length);
  write(buffer);
  return buffer;
}

/** Two columns; oid beyond the range of a signed integer. */
const OID = 4_000_000_000;
const RELATION = message(
  letter('R'),
  int32(OID),
  text(''),
  text('tä'),
  letter('i'),
  int16(2),
  ...[Buffer.from([1]), text('k'), int32(23), int32(0xffffffff)],
  ...[Buffer.from([0]), text('v'), int32(1043), int32(11)],
);

function decoder(): PgoutputDecoder {
  const made = new PgoutputDecoder();
  expect(made.decode(RELATION)).toBeUndefined();
  return made;
}

test('a relation: pg_catalog has no name, a typmod has a sign', () => {
  const event = decoder().decode(
    message(letter('I'), int32(OID), letter('N'), int16(2), value('1'), letter('n')),
  );
  expect(event).toMatchObject({
    kind: 'insert',
    relation: {
      oid: OID,
      schema: 'pg_catalog',
      name: 'tä',
      replicaIdentity: 'index',
      columns: [
        { name: 'k', isKey: true, typeOid: 23, typmod: -1 },
        { name: 'v', isKey: false, typeOid: 1043, typmod: 11 },
      ],
      message: RELATION,
    },
  });
});

test('values are slices of what was received, which holds other messages too', () => {
  const raw = message(letter('I'), int32(OID), letter('N'), int16(3), value('abc'), letter('u'), letter('n'));
  const received = message(Buffer.from('before'), raw, Buffer.from('after'));
  const event = decoder().decode(received, 6, 6 + raw.length);
  if (event?.kind !== 'insert') throw new Error('no insert');
  expect(event.bytes.subarray(event.start, event.end)).toEqual(raw);
  expect(event.row.values()).toEqual([Buffer.from('abc'), UNCHANGED, null]);
  expect((event.row.value(0) as Buffer).buffer).toBe(received.buffer);
});

test('times: before and after 2000, in milliseconds since 1970', () => {
  const begin = (microseconds: bigint) =>
    new PgoutputDecoder().decode(message(letter('B'), int64(5n), int64(microseconds), int32(4_000_000_000)));
  expect(begin(0n)).toEqual({
    kind: 'begin',
    commitLsn: 5n,
    commitTime: Date.UTC(2000, 0, 1),
    xid: 4_000_000_000,
  });
  expect(begin(-1_000_000n)).toMatchObject({ commitTime: Date.UTC(1999, 11, 31, 23, 59, 59) });
});

test('Type and Origin messages tell nothing', () => {
  const origin = message(letter('O'), int64(1n), text('origin'));
  const type = message(letter('Y'), int32(1), text('public'), text('mood'));
  expect([origin, type].map((raw) => new PgoutputDecoder().decode(raw))).toEqual([undefined, undefined]);
});

test.each<[string, Buffer, RegExp]>([
  ['an unknown type', letter('Z'), /unknown type 90/],
  ['nothing', Buffer.alloc(0), /unknown type/],
  [
    'an unknown relation',
    message(letter('I'), int32(7), letter('N'), int16(0)),
    /no Relation message for oid 7/,
  ],
  [
    'an unknown kind of row',
    message(letter('I'), int32(OID), letter('K'), int16(0)),
    /row of unknown kind 75/,
  ],
  [
    'an unknown kind of old row',
    message(letter('D'), int32(OID), letter('N'), int16(0)),
    /old row of unknown kind/,
  ],
  [
    'a binary value',
    message(letter('I'), int32(OID), letter('N'), int16(1), letter('b')),
    /value of unknown kind 98/,
  ],
  [
    'a value that is cut off',
    message(letter('I'), int32(OID), letter('N'), int16(1), letter('t'), int32(5), text('x')),
    /ends too early/,
  ],
])('refuses %s', (_, raw, reason) => {
  expect(() => decoder().decode(raw)).toThrow(reason);
});
