import fc from 'fast-check';
import { MessageCutter } from '../../../postgres/replicate/pgoutput/message-cutter';

interface Message {
  code: number;
  payload: string;
}

function encode({ code, payload }: Message): Buffer {
  const frame = Buffer.alloc(5 + payload.length / 2);
  frame.writeUInt8(code, 0);
  frame.writeUInt32BE(frame.length - 1, 1);
  frame.write(payload, 5, 'hex');
  return frame;
}

function collector(): { cutter: MessageCutter; messages: Message[] } {
  const messages: Message[] = [];
  const cutter = new MessageCutter((code, buffer, start, end) =>
    messages.push({ code, payload: buffer.toString('hex', start, end) }),
  );
  return { cutter, messages };
}

const message = fc.record({
  code: fc.constantFrom(...Buffer.from('dWNE')),
  payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('hex')),
});

test('gives back exactly the messages, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 30 }),
      fc.array(fc.nat({ max: 2_000 }), { maxLength: 60 }),
      (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(encode));
        const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
        const { cutter, messages } = collector();
        for (const [index, end] of [...places, bytes.length].entries()) {
          cutter.push(bytes.subarray(places[index - 1] ?? 0, end));
        }
        expect(messages).toEqual(sent);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('byte by byte', () => {
  const sent = ['0102', '', '03'].map((payload) => ({ code: 0x64, payload }));
  const { cutter, messages } = collector();
  for (const byte of Buffer.concat(sent.map(encode))) cutter.push(Buffer.from([byte]));
  expect(messages).toEqual(sent);
});

test('a message within a chunk is a slice of it', () => {
  const chunk = encode({ code: 0x64, payload: 'abcd' });
  let held: Buffer | undefined;
  new MessageCutter((_, buffer) => (held = buffer)).push(chunk);
  expect(held).toBe(chunk);
});

test('a length that cannot be is refused', () => {
  expect(() => collector().cutter.push(Buffer.from([0x64, 0, 0, 0, 3]))).toThrow(/impossible length/);
});
