import { MarkerTable } from '../../../postgres/replicate/applier/marker';
import { BATCH_BOUNDS, TransactionBuffer } from '../../../postgres/replicate/applier/transaction-buffer';
import { Tuple, type Insert, type Relation, type StreamEvent } from '../../../postgres/replicate/pgoutput';
import { MESSAGE_PREFIX } from '../../../postgres/replicate/source';

const relation = { oid: 7, schema: 'public', name: 't', columns: [] } as unknown as Relation;
const row = Tuple.of([Buffer.from('1')]);

function insert(bytes: number): Insert {
  return { kind: 'insert', relation, row, bytes: Buffer.alloc(0), start: 0, end: bytes };
}

function transaction(at: bigint, ...events: StreamEvent[]): StreamEvent[] {
  return [
    { kind: 'begin', commitLsn: at, commitTime: 0, xid: 1 },
    ...events,
    { kind: 'commit', endLsn: at + 1n },
  ];
}

function inserts(count: number, bytes = 10): Insert[] {
  return Array.from({ length: count }, () => insert(bytes));
}

function marker(content: string): StreamEvent {
  const message = { transactional: true, lsn: 1n, prefix: MESSAGE_PREFIX, content: Buffer.from(content) };
  return { kind: 'message', ...message };
}

function bufferWith(...events: StreamEvent[]): TransactionBuffer {
  const buffer = new TransactionBuffer(new MarkerTable('m1'));
  buffer.add(events);
  return buffer;
}

describe('what is too little for a batch', () => {
  test.each<[string, StreamEvent[], boolean]>([
    ['nothing', [], false],
    ['a transaction that has not ended', transaction(1n, insert(10)).slice(0, 2), false],
    ['a few changes', transaction(1n, insert(10)), true],
    [
      'many changes of several transactions',
      [1n, 3n].flatMap((at) => transaction(at, ...inserts(5_000))),
      false,
    ],
    ['few changes of many bytes', transaction(1n, insert(5_000_000)), false],
    ['a marker, which somebody waits for', transaction(1n, insert(10), marker('cutover')), false],
  ])('%s', (_, events, isTooLittle) => {
    expect(bufferWith(...events).isTooLittle).toBe(isTooLittle);
  });

  test('once its marker is taken, the rest can wait again', () => {
    const buffer = bufferWith(...transaction(1n, marker('cutover')), ...transaction(3n, insert(10)));
    expect(buffer.isTooLittle).toBe(false);
    expect(buffer.take({ marker: 'cutover' })).toMatchObject([{ markers: ['cutover'] }]);
    expect(buffer.isTooLittle).toBe(true);
  });

  test('a stream that failed is not waited for', () => {
    const buffer = bufferWith(...transaction(1n, insert(10)));
    buffer.fail(new Error('gone'));
    expect(buffer.isTooLittle).toBe(false);
  });
});

test('a large transaction comes in pieces, its end with the last one', () => {
  const buffer = bufferWith(...transaction(1n, ...inserts(100_000)));
  const pieces = Array.from({ length: 3 }, () => buffer.take()).flat();
  expect(pieces.map(({ changes, isContinued, endLsn }) => [changes.length, isContinued, endLsn])).toEqual([
    [40_000, false, undefined],
    [40_000, true, undefined],
    [20_000, true, 2n],
  ]);
});

describe('what a batch takes', () => {
  const insertInto = (oid: number): Insert => ({ ...insert(10), relation: { ...relation, oid } });

  test('no more tables than may be locked at a time, but for a transaction of its own', () => {
    const large = Array.from({ length: BATCH_BOUNDS.tables + 1 }, (_, oid) => insertInto(oid));
    const small = Array.from({ length: BATCH_BOUNDS.tables }, (_, oid) =>
      transaction(BigInt(10 + 2 * oid), insertInto(oid)),
    );
    const buffer = bufferWith(
      ...transaction(1n, ...large),
      ...small.flat(),
      ...transaction(5_001n, insertInto(-1)),
      ...transaction(5_003n, insertInto(-1)),
    );
    const taken = [buffer.take(), buffer.take(), buffer.take()].map((pieces) => pieces.length);
    expect(taken).toEqual([1, BATCH_BOUNDS.tables, 2]);
  });
});
