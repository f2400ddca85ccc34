const CHUNK_BYTES = 64 * 1024;
/** A longer value is handed to the socket as it is instead of being copied. */
const COPIED_BYTES = 16 * 1024;

/**
 * Gathers messages of the frontend into chunks for the socket.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * `buffer` and `end` are open to the encoders of values, which write byte by byte after {@link reserve}.
 */
export class MessageWriter {
  buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  end = 0;

  private lengthAt = 0;

  constructor(private readonly send: (chunk: Buffer) => void) {}

  /** Makes room for so many more bytes. */
  reserve(bytes: number): void {
    if (this.end + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.end + bytes));
    this.buffer.copy(larger, 0, 0, this.end);
    this.buffer = larger;
  }

  begin(type: string): void {
    this.reserve(5);
    this.buffer[this.end] = type.charCodeAt(0);
    this.lengthAt = this.end + 1;
    this.end += 5;
  }

  finish(): void {
    this.buffer.writeUInt32BE(this.end - this.lengthAt, this.lengthAt);
    if (this.end >= CHUNK_BYTES) this.flush();
  }

  /** Bytes of the present message, its type not counted. */
  get messageBytes(): number {
    return this.end - this.lengthAt;
  }

  /** Begins a message whose length is known; it ends without `finish`, and its values may pass uncopied. */
  beginSized(type: string, payloadBytes: number): void {
    this.begin(type);
    this.buffer.writeUInt32BE(payloadBytes + 4, this.lengthAt);
  }

  int16(value: number): void {
    this.reserve(2);
    this.end = this.buffer.writeUInt16BE(value, this.end);
  }

  int32(value: number): void {
    this.reserve(4);
    this.end = this.buffer.writeInt32BE(value, this.end);
  }

  /** A length that {@link fillLength} writes later. */
  lengthToCome(): number {
    this.int32(0);
    return this.end;
  }

  fillLength(start: number): void {
    this.buffer.writeInt32BE(this.end - start, start - 4);
  }

  text(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.reserve(bytes + 1);
    this.end += this.buffer.write(text, this.end, 'utf8');
    this.buffer[this.end] = 0;
    this.end += 1;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.end] = value;
    this.end += 1;
  }

  /** In a sized message only. */
  value(value: Buffer): void {
    if (value.length > COPIED_BYTES) {
      this.flush();
      this.send(value);
      return;
    }
    this.reserve(value.length);
    this.end += value.copy(this.buffer, this.end);
  }

  flush(): void {
    if (this.end === 0) return;
    this.send(this.buffer.subarray(0, this.end));
    this.buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    this.end = 0;
  }
}
