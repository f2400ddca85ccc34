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

/** Cuts at the given places, in any order and beyond the end. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}

/** What came out, and the rest with all that followed it. */
function walk(chunks: Buffer[]): { walker: FrameWalker; forwarded: Buffer; rest: Buffer | undefined } {
  const runs: Buffer[] = [];
  const walker = new FrameWalker((run) => runs.push(Buffer.from(run)));
  for (const [index, chunk] of chunks.entries()) {
    const rest = walker.push(chunk);
    if (rest !== undefined) {
      return {
        walker,
        forwarded: Buffer.concat(runs),
        rest: Buffer.concat([rest, ...chunks.slice(index + 1)]),
      };
    }
  }
  return { walker, forwarded: Buffer.concat(runs), rest: undefined };
}

const streamMessage = fc.record({
  code: fc.constantFrom('d', 'd', 'd', 'N', 'S', 'A', 'H'),
  payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});

test('hands on exactly the CopyData messages and gives back exactly the rest, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(streamMessage, { maxLength: 30 }),
      fc.constantFrom('c', 'E', 'C', 'Z'),
      fc.uint8Array({ maxLength: 20 }),
      fc.array(fc.nat({ max: 2_000 }), { maxLength: 60 }),
      (messages, endCode, after, places) => {
        const data = messages.filter((message) => message.code === 'd');
        const tail = Buffer.concat([encode({ code: endCode, payload: Buffer.from('x') }), after]);
        const { walker, forwarded, rest } = walk(cut(Buffer.concat([...messages.map(encode), tail]), places));
        expect(forwarded).toEqual(Buffer.concat(data.map(encode)));
        expect(rest).toEqual(tail);
        expect(walker.frames).toBe(data.length);
        expect(walker.bytes).toBe(data.reduce((sum, message) => sum + message.payload.length, 0));
        expect(walker.insideFrame).toBe(false);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('byte by byte', () => {
  const row = encode({ code: 'd', payload: Buffer.from('1\tone\n') });
  const end = encode({ code: 'c', payload: Buffer.alloc(0) });
  const { forwarded, rest } = walk([...Buffer.concat([row, row, end])].map((byte) => Buffer.from([byte])));
  expect(forwarded).toEqual(Buffer.concat([row, row]));
  expect(rest).toEqual(end);
});

test('a run within one chunk is handed on in one piece, and nothing is gathered over chunks', () => {
  const runs: number[] = [];
  const walker = new FrameWalker((run) => runs.push(run.length));
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
  expect(() => new FrameWalker(() => undefined).push(Buffer.from([0x64, 0, 0, 0, 3]))).toThrow(
    /impossible length/,
  );
});
