import type { Socket } from 'node:net';

/**
 * What a socket has received and nobody has taken yet, in the chunks it came in. The socket stands still while that is
 * more than `limit` bytes, so that a sender is no faster than the one who takes.
 */
export class ReceivedBytes {
  private readonly chunks: Buffer[] = [];
  private size = 0;
  private paused = false;
  private heardAt = performance.now();

  /** Takes over from whoever listened to the socket so far. */
  constructor(
    private readonly socket: Socket,
    private readonly limit: number,
    private readonly onChunk: () => void,
  ) {
    socket.removeAllListeners('data');
    socket.on('data', this.receive);
  }

  shift(): Buffer | undefined {
    const chunk = this.chunks.shift();
    if (chunk === undefined) return undefined;
    this.size -= chunk.length;
    if (this.paused && this.size <= this.limit / 2) {
      this.paused = false;
      this.heardAt = performance.now();
      this.socket.resume();
    }
    return chunk;
  }

  /** Milliseconds since the last chunk; none pass while the socket stands still. */
  get quiet(): number {
    return this.paused ? 0 : performance.now() - this.heardAt;
  }

  /** Throws away what is there and all that still comes. */
  discard(): void {
    this.socket.off('data', this.receive);
    this.chunks.length = 0;
    this.size = 0;
    this.socket.resume();
  }

  private readonly receive = (chunk: Buffer): void => {
    this.heardAt = performance.now();
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size > this.limit) {
      this.paused = true;
      this.socket.pause();
    }
    this.onChunk();
  };
}
