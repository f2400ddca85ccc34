import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';

/** Bytes: what one read of a socket takes at most. */
const READ_BYTES = 128 * 1024;
/** A chunk that fills less of its buffer is copied out of it, lest a few bytes keep all of it from the next read. */
const LEAST_BYTES_HANDED_ON = READ_BYTES / 4;

/**
 * @param chunk the taker's until it calls `release`; then it is read into again
 */
export type TakeChunk = (chunk: Buffer, release: () => void) => void;

const readsOf = new WeakMap<Socket, Reads>();

/**
 * A socket that reads into buffers of its own instead of one that Node makes for each read. Millions of those are more
 * than waste: V8 counts them, and after each 64 MB of them collects the garbage of the worker's whole heap. Measured with
 * 2.3 GB: more than 3 of the 8 seconds of CPU time that a worker needs to copy them.
 */
export function readingSocket(): Socket {
  const reads = new Reads();
  // the constructor takes what connect() takes: https://nodejs.org/api/net.html#socketconnectoptions-connectlistener
  const options: SocketConstructorOpts & ConnectOpts = {
    onread: { buffer: () => reads.nextBuffer(), callback: (length) => reads.received(socket, length) },
  };
  const socket: Socket = new Socket(options);
  readsOf.set(socket, reads);
  return socket;
}

/**
 * From now on `take` gets what the socket receives, and none of its listeners does.
 *
 * @returns gives it back to them
 */
export function takeReads(socket: Socket, take: TakeChunk): () => void {
  const reads = readsOf.get(socket);
  if (reads !== undefined) {
    reads.take = take;
    return () => (reads.take = undefined);
  }
  const listeners = socket.listeners('data') as ((chunk: Buffer) => void)[];
  const receive = (chunk: Buffer) => take(chunk, () => undefined);
  for (const listener of listeners) socket.off('data', listener);
  socket.on('data', receive);
  return () => {
    socket.off('data', receive);
    for (const listener of listeners) socket.on('data', listener);
  };
}

class Reads {
  take: TakeChunk | undefined;
  private present: Buffer | undefined;
  private readonly free: Buffer[] = [];

  /** Node asks before the first read and after each one. */
  nextBuffer(): Buffer {
    return (this.present ??= this.free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES));
  }

  /** @returns whether to go on reading */
  received(socket: Socket, length: number): boolean {
    const whole = this.nextBuffer();
    const chunk = whole.subarray(0, length);
    if (this.take === undefined) return socket.push(Buffer.from(chunk));
    if (length < LEAST_BYTES_HANDED_ON) {
      this.take(Buffer.from(chunk), () => undefined);
      return true;
    }
    this.present = undefined;
    this.take(chunk, () => this.free.push(whole));
    return true;
  }
}
