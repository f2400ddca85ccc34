/** Type byte and int32 length; https://www.postgresql.org/docs/current/protocol-message-formats.html */
const HEADER_LENGTH = 5;
const EMPTY = Buffer.alloc(0);
/**
 * Bytes of the payload of a message that is handed on. The receiver gathers each message in memory beside the value that it
 * reads from it: a value of 900 MB, as the source sends it, took 3.7 GB of the target's, in pieces 2.8.
 * How the stream is divided is its sender's choice: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */
const LONGEST_PIECE = 64 * 1024;

const COPY_DATA = 'd'.charCodeAt(0);
const COMMAND_COMPLETE = 'C'.charCodeAt(0);

/** What a server may send beside the data: CopyOutResponse, CopyDone and the asynchronous messages. */
const SKIPPED = new Set(['H', 'c', 'N', 'S', 'A'].map((code) => code.charCodeAt(0)));

export interface WalkerEvents {
  /** A contiguous run of CopyData messages, headers included. */
  data: (run: Buffer) => void;
  /** A statement is complete, with the `n` of its `COPY n`; `frames` and `bytes` are still its own. */
  complete: (rows: number) => void;
}

/**
 * Walks the messages of one `COPY … TO STDOUT` after the other from header to header and hands on the CopyData messages, long
 * ones in pieces; their contents are never looked at nor gathered. A message may be spread over any number of chunks.
 */
export class FrameWalker {
  /** Payload of the present statement's CopyData messages so far. */
  bytes = 0;
  /** Its CopyData messages so far: the server sends one for each row, and one more at the end of the binary format. */
  frames = 0;

  private headerStart = EMPTY;
  private payloadLeft = 0;
  /** Of what is left, before the next header goes out: at most `longestPiece` bytes of a message that is handed on. */
  private pieceLeft = 0;
  private forwarding = false;
  /** Of a CommandComplete. */
  private tag: Buffer | undefined;

  constructor(
    private readonly events: WalkerEvents,
    private readonly longestPiece = LONGEST_PIECE,
  ) {}

  /** A CopyData message was handed on in part: nothing else may be written to its receiver yet. */
  get insideFrame(): boolean {
    return this.forwarding && this.pieceLeft > 0;
  }

  /**
   * @returns what begins with the first message that does not belong to the stream (ReadyForQuery, ErrorResponse…);
   * `undefined` while the stream goes on. Not to be called again after its end.
   */
  push(chunk: Buffer): Buffer | undefined {
    let position = 0;
    if (this.headerStart.length > 0) {
      const header = Buffer.concat([
        this.headerStart,
        chunk.subarray(0, HEADER_LENGTH - this.headerStart.length),
      ]);
      position = header.length - this.headerStart.length;
      this.headerStart = EMPTY;
      if (header.length < HEADER_LENGTH) {
        this.headerStart = header;
        return undefined;
      }
      if (!this.enter(header, 0)) return Buffer.concat([header, chunk.subarray(position)]);
      if (this.forwarding) this.events.data(header);
    }
    return this.walk(chunk, position);
  }

  private walk(chunk: Buffer, start: number): Buffer | undefined {
    let position = start;
    let runStart = start;
    const endRun = (end: number) => {
      if (end > runStart) this.events.data(chunk.subarray(runStart, end));
    };
    for (;;) {
      const step = Math.min(this.pieceLeft, chunk.length - position);
      if (this.tag !== undefined) this.readTag(this.tag, chunk.subarray(position, position + step));
      this.payloadLeft -= step;
      this.pieceLeft -= step;
      position += step;
      if (this.pieceLeft === 0 && this.payloadLeft > 0) {
        endRun(position);
        runStart = position;
        this.events.data(this.nextPiece());
        continue;
      }
      if (!this.forwarding) runStart = position;
      if (chunk.length - position < HEADER_LENGTH) {
        endRun(position);
        this.headerStart = Buffer.from(chunk.subarray(position));
        return undefined;
      }
      const runEnd = position;
      const wasForwarding = this.forwarding;
      const stays = this.enter(chunk, position);
      if (!stays || !this.forwarding) endRun(runEnd);
      if (!stays) return chunk.subarray(runEnd);
      if (!wasForwarding) runStart = runEnd;
      position += HEADER_LENGTH;
    }
  }

  /** Reads the header at `at`; false where its message does not belong to the stream. */
  private enter(buffer: Buffer, at: number): boolean {
    const code = buffer[at] ?? 0;
    if (code !== COPY_DATA && code !== COMMAND_COMPLETE && !SKIPPED.has(code)) {
      this.forwarding = false;
      return false;
    }
    const length = buffer.readUInt32BE(at + 1);
    if (length < 4) throw new Error('the server sent a message with an impossible length');
    this.payloadLeft = length - 4;
    this.forwarding = code === COPY_DATA;
    if (this.forwarding) {
      this.frames += 1;
      this.bytes += this.payloadLeft;
    }
    this.pieceLeft = this.forwarding ? Math.min(this.payloadLeft, this.longestPiece) : this.payloadLeft;
    if (this.pieceLeft < this.payloadLeft) buffer.writeUInt32BE(this.pieceLeft + 4, at + 1);
    this.tag = code === COMMAND_COMPLETE ? EMPTY : undefined;
    return true;
  }

  /** The header of a further message with what came in one. */
  private nextPiece(): Buffer {
    this.pieceLeft = Math.min(this.payloadLeft, this.longestPiece);
    const header = Buffer.alloc(HEADER_LENGTH);
    header.writeUInt8(COPY_DATA);
    header.writeUInt32BE(this.pieceLeft + 4, 1);
    return header;
  }

  private readTag(start: Buffer, more: Buffer): void {
    this.tag = Buffer.concat([start, more]);
    if (more.length < this.payloadLeft) return;
    const [, rows] = /^COPY (\d+)\0$/.exec(this.tag.toString('latin1')) ?? [];
    this.tag = undefined;
    this.events.complete(Number(rows));
    this.frames = 0;
    this.bytes = 0;
  }
}
