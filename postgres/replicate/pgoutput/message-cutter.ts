/** Type byte and int32 length; https://www.postgresql.org/docs/current/protocol-message-formats.html */
const HEADER_LENGTH = 5;
const EMPTY = Buffer.alloc(0);

/** A message of the server: the payload is `buffer` from `start` to `end`. */
export type MessageHandler = (code: number, buffer: Buffer, start: number, end: number) => void;

/**
 * Cuts what a socket receives into the server's messages, whole and in order, however they are spread over the chunks.
 * One that lies within a chunk is not copied; any other is copied once, into a buffer of its size.
 */
export class MessageCutter {
  private header: Buffer = EMPTY;
  private code = 0;
  private payload: Buffer = EMPTY;
  private filled = 0;
  /** Between the header and the last byte of a message that is spread over chunks. */
  private insidePayload = false;

  constructor(private readonly handle: MessageHandler) {}

  push(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.insidePayload || this.header.length > 0) position = this.goOn(chunk, position);
      else position = this.begin(chunk, position);
    }
  }

  /** @returns where the next message begins */
  private begin(chunk: Buffer, position: number): number {
    const start = position + HEADER_LENGTH;
    if (start > chunk.length) {
      this.header = Buffer.from(chunk.subarray(position));
      return chunk.length;
    }
    const code = chunk[position] ?? 0;
    const end = start + payloadLength(chunk, position);
    if (end > chunk.length) {
      this.expect(code, end - start);
      return start;
    }
    this.handle(code, chunk, start, end);
    return end;
  }

  private goOn(chunk: Buffer, position: number): number {
    if (!this.insidePayload) {
      const next = position + HEADER_LENGTH - this.header.length;
      this.header = Buffer.concat([this.header, chunk.subarray(position, next)]);
      if (this.header.length < HEADER_LENGTH) return chunk.length;
      this.expect(this.header[0] ?? 0, payloadLength(this.header, 0));
      if (this.payload.length === 0) this.finish();
      return next;
    }
    const next = Math.min(position + this.payload.length - this.filled, chunk.length);
    this.filled += chunk.copy(this.payload, this.filled, position, next);
    if (this.filled === this.payload.length) this.finish();
    return next;
  }

  private expect(code: number, length: number): void {
    this.header = EMPTY;
    this.code = code;
    this.payload = Buffer.allocUnsafeSlow(length);
    this.filled = 0;
    this.insidePayload = true;
  }

  private finish(): void {
    const { payload } = this;
    this.insidePayload = false;
    this.payload = EMPTY;
    this.handle(this.code, payload, 0, payload.length);
  }
}

function payloadLength(buffer: Buffer, headerAt: number): number {
  const length = buffer.readUInt32BE(headerAt + 1);
  if (length < 4) throw new Error('the server sent a message with an impossible length');
  return length - 4;
}
