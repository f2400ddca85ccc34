import { once } from 'node:events';
import { createServer, Socket, type AddressInfo, type Server } from 'node:net';
import { readingSocket, takeReads } from '../../../postgres/connect/reading-socket';
import { eventually } from '../../support/eventually';

const MEGABYTE = 1024 ** 2;

let server: Server;
let peer: Socket;
let socket: Socket;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connected = once(server, 'connection') as Promise<[Socket]>;
  socket = readingSocket();
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1');
  [peer] = await connected;
});

afterEach(() => {
  socket.destroy();
  peer.destroy();
  server.close();
});

/** Bytes that tell where they stand. */
function numbered(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE(at, at);
  return bytes;
}

test('who listens gets all that comes, and its end', async () => {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(socket, 'end');
  peer.end(numbered(3 * MEGABYTE));
  await ended;
  expect(Buffer.concat(chunks).equals(numbered(3 * MEGABYTE))).toBe(true);
});

test('a chunk stays as it is until it is released', async () => {
  const held: Buffer[] = [];
  takeReads(socket, (chunk) => held.push(chunk));
  peer.write(numbered(3 * MEGABYTE));
  await eventually('all bytes', () => Promise.resolve(sizeOf(held) === 3 * MEGABYTE));
  expect(Buffer.concat(held).equals(numbered(3 * MEGABYTE))).toBe(true);
});

test('the buffer of a chunk that was released is read into again', async () => {
  const buffers = new Set<ArrayBufferLike>();
  const sizes: number[] = [];
  takeReads(socket, (chunk, release) => {
    sizes.push(chunk.length);
    // a smaller chunk is a copy
    if (chunk.buffer.byteLength >= 128 * 1024) buffers.add(chunk.buffer);
    release();
  });
  peer.write(numbered(3 * MEGABYTE));
  const received = () => sizes.reduce((sum, size) => sum + size, 0);
  await eventually('all bytes', () => Promise.resolve(received() === 3 * MEGABYTE));
  expect(buffers.size).toBe(1);
});

test.each([
  ['a socket of its own buffers', readingSocket],
  ['any other', () => new Socket()],
])('%s is given back to its listeners', async (_, make) => {
  socket.destroy();
  const connected = once(server, 'connection') as Promise<[Socket]>;
  socket = make();
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1');
  [peer] = await connected;
  const listened: Buffer[] = [];
  const taken: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => listened.push(chunk));
  const giveBack = takeReads(socket, (chunk, release) => {
    taken.push(Buffer.from(chunk));
    release();
  });
  peer.write('for the taker');
  await eventually('bytes', () => Promise.resolve(taken.length > 0));
  giveBack();
  peer.write('for the listener');
  await eventually('bytes', () => Promise.resolve(listened.length > 0));
  expect([Buffer.concat(taken).toString(), Buffer.concat(listened).toString()]).toEqual([
    'for the taker',
    'for the listener',
  ]);
});

function sizeOf(chunks: Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}
