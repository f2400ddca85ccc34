import fc from 'fast-check';
import { FrameWalker } from '../../../postgres/copy/frame-walker';

interface Message {
  code: string;
  payload: Buffer;
}

function encode({ code, payload }: Message): Buffer {
  const header = Buffer.alloc(5);
  header.write(code);
  header.writeUInt32BE(payload.length + 4, 1);
  return Buffer.concat([header, payload]);
}

/** The messages that may go out for one that came in. */
function pieces({ code, payload }: Message, longest: number): Message[] {
  const count = Math.max(1, Math.ceil(payload.length / longest));
  return Array.from({ length: count }, (_, index) => ({
    code,
    payload: payload.subarray(index * longest, (index + 1) * longest),
  }));
}

/** Cuts at the given places, in any order and beyond the end. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}

interface Walked {
  walker: FrameWalker;
  /** What was handed on of each statement that is complete, and last of the one that is not. */
  forwarded: Buffer[];
  completed: { rows: number; frames: number; bytes: number }[];
  /** With all that followed it. */
  rest: Buffer | undefined;
}

function walk(chunks: Buffer[], longestPiece?: number): Walked {
  const forwarded: Buffer[] = [Buffer.alloc(0)];
  const completed: Walked['completed'] = [];
  const walker = new FrameWalker(
    {
      data: (run) => forwarded.push(Buffer.concat([forwarded.pop() ?? run, run])),
      complete: (rows) => {
        completed.push({ rows, frames: walker.frames, bytes: walker.bytes });
        forwarded.push(Buffer.alloc(0));
      },
    },
    longestPiece,
  );
  for (const [index, chunk] of chunks.entries()) {
    const rest = walker.push(chunk);
    if (rest === undefined) continue;
    return { walker, forwarded, completed, rest: Buffer.concat([rest, ...chunks.slice(index + 1)]) };
  }
  return { walker, forwarded, completed, rest: undefined };
}

const streamMessage = fc.record({
  code: fc.constantFrom('d', 'd', 'd', 'N', 'S', 'A', 'H', 'c'),
  payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});
const statement = fc.record({
  messages: fc.array(streamMessage, { maxLength: 30 }),
  rows: fc.nat({ max: 2 ** 40 }),
});

function encodeStatement({ messages, rows }: { messages: Message[]; rows: number }): Buffer {
  return Buffer.concat([
    ...messages.map(encode),
    encode({ code: 'C', payload: Buffer.from(`COPY ${rows}\0`) }),
  ]);
}

test('hands on exactly the CopyData messages, long ones in pieces, and gives back exactly the rest, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(statement, { maxLength: 4 }),
      fc.array(streamMessage, { maxLength: 10 }),
      fc.constantFrom('E', 'Z', 'T'),
      fc.uint8Array({ maxLength: 20 }),
      fc.array(fc.nat({ max: 5_000 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 50 }),
      (statements, unfinished, endCode, after, places, longest) => {
        const tail = Buffer.concat([encode({ code: endCode, payload: Buffer.from('x') }), after]);
        const stream = [...statements.map(encodeStatement), ...unfinished.map(encode), tail];
        const { walker, forwarded, completed, rest } = walk(cut(Buffer.concat(stream), places), longest);
        const data = (messages: Message[]) => messages.filter(({ code }) => code === 'd');
        const amounts = (messages: Message[]) => ({
          frames: data(messages).length,
          bytes: data(messages).reduce((sum, { payload }) => sum + payload.length, 0),
        });
        expect(forwarded).toEqual(
          [...statements.map(({ messages }) => messages), unfinished].map((messages) =>
            Buffer.concat(data(messages).flatMap((message) => pieces(message, longest).map(encode))),
          ),
        );
        expect(completed).toEqual(statements.map(({ messages, rows }) => ({ rows, ...amounts(messages) })));
        expect({ frames: walker.frames, bytes: walker.bytes }).toEqual(amounts(unfinished));
        expect(rest).toEqual(tail);
        expect(walker.insideFrame).toBe(false);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('byte by byte', () => {
  const row = encode({ code: 'd', payload: Buffer.from('1\tone\n') });
  const done = encode({ code: 'c', payload: Buffer.alloc(0) });
  const complete = encode({ code: 'C', payload: Buffer.from('COPY 2\0') });
  const end = encode({ code: 'Z', payload: Buffer.from('T') });
  const bytes = Buffer.concat([row, row, done, complete, row, end]);
  const { forwarded, completed, rest } = walk([...bytes].map((byte) => Buffer.from([byte])));
  expect(forwarded).toEqual([Buffer.concat([row, row]), row]);
  expect(completed).toEqual([{ rows: 2, frames: 2, bytes: 12 }]);
  expect(rest).toEqual(end);
});

test('a value of megabytes goes out in messages of 64 kB', () => {
  const row = encode({ code: 'd', payload: Buffer.alloc(200_000, 'x') });
  const { walker, forwarded } = walk([row.subarray(0, 5 + 65_535)]);
  expect(walker.insideFrame).toBe(true);
  walker.push(row.subarray(5 + 65_535));
  expect(walker.insideFrame).toBe(false);
  expect(forwarded[0]?.readUInt32BE(1)).toBe(4 + 65_536);
  expect({ frames: walker.frames, bytes: walker.bytes }).toEqual({ frames: 1, bytes: 200_000 });
});

test('a run within one chunk is handed on in one piece, and nothing is gathered over chunks', () => {
  const runs: number[] = [];
  const walker = new FrameWalker({ data: (run) => runs.push(run.length), complete: () => undefined });
  const row = encode({ code: 'd', payload: Buffer.alloc(95) });
  walker.push(Buffer.concat([row, row, row]));
  expect(runs).toEqual([300]);
  const [head, tail] = [row.subarray(0, 50), row.subarray(50)];
  walker.push(head);
  expect(runs).toEqual([300, 50]);
  expect(walker.insideFrame).toBe(true);
  walker.push(tail);
  expect(runs).toEqual([300, 50, 50]);
  expect(walker.insideFrame).toBe(false);
});

test('a length that cannot be is refused', () => {
  const walker = new FrameWalker({ data: () => undefined, complete: () => undefined });
  expect(() => walker.push(Buffer.from([0x64, 0, 0, 0, 3]))).toThrow(/impossible length/);
});
