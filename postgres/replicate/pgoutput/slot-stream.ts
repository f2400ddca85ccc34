import type { Socket } from 'node:net';
import type { Connection, Submittable } from 'pg';
import { FlexliftError, type FailurePlace } from '../../../contract';
import type { Lsn } from '../lsn';
import type { StreamEvent } from './change';
import type { ChangeStream } from './change-stream';
import { PgoutputDecoder } from './decode';
import { MessageCutter } from './message-cutter';
import { ReceivedBytes } from './received-bytes';
import { StatusSender, type StatusSenderOptions } from './status-sender';
import { streamFailure } from './stream-failure';
import {
  KEEPALIVE,
  readKeepalive,
  readReport,
  TERMINATE,
  XLOG_DATA,
  XLOG_DATA_HEADER,
} from './walsender-messages';

const code = (letter: string) => letter.charCodeAt(0);
const [COPY_DATA, COPY_BOTH, ERROR, NOTICE] = ['d', 'W', 'E', 'N'].map(code);
const [PARAMETER_STATUS, NOTIFICATION] = ['S', 'A'].map(code);

/** One read takes about so many bytes, however many are there. */
const BYTES_PER_READ = 128 * 1024;

/** Milliseconds: how long the server may take to end the session before the socket is closed on it. */
const CLOSE_LIMIT = 5_000;
const LONGEST_TIMER = 60_000;

export interface StreamOptions extends Pick<StatusSenderOptions, 'interval' | 'silence' | 'isDecoding'> {
  /** `START_REPLICATION …` */
  command: string;
  from: Lsn;
  timeline: number;
  place: FailurePlace;
  signal: AbortSignal;
  /** The socket stands still while more bytes than these wait to be read. */
  bufferBytes: number;
}

/** A START_REPLICATION that runs on a `pg` Client; from there on the socket is its own and pg's parser sees nothing. */
export class SlotStream implements ChangeStream, Submittable {
  readonly timeline: number;

  private socket: Socket | undefined;
  private received: ReceivedBytes | undefined;
  private readonly decoder = new PgoutputDecoder();
  private readonly cutter = new MessageCutter((...message) => this.take(...message));
  private events: StreamEvent[] = [];
  private readonly status: StatusSender;
  private started = false;
  private insideTransaction = false;
  /** All before it has been sent, or was not asked for. */
  private reached: Lsn;

  private failure: FlexliftError | undefined;
  private disconnected: FlexliftError | undefined;
  private closing: Promise<void> | undefined;
  private wake: () => void = () => undefined;

  constructor(private readonly options: StreamOptions) {
    this.timeline = options.timeline;
    this.reached = options.from;
    this.status = new StatusSender({
      ...options,
      write: (message) => this.write(message),
      quiet: () => this.received?.quiet ?? 0,
      onDead: () => this.giveUp(),
    });
  }

  submit(connection: Connection): void {
    this.socket = connection.stream as Socket;
    this.received = new ReceivedBytes(this.socket, this.options.bufferBytes, () => this.wake());
    this.options.signal.addEventListener('abort', this.onAbort);
    connection.query(this.options.command);
  }

  /** What the socket threw; what was received before it is read first. */
  handleError(error: Error): void {
    this.disconnected ??= streamFailure(error, this.options.place);
    this.wake();
  }

  /** The server has taken the command. */
  async start(): Promise<void> {
    while (!this.started) {
      this.pump();
      if (this.started) break;
      this.throwIfOver();
      await this.woken(LONGEST_TIMER);
    }
    this.status.start();
  }

  async read(wait: number): Promise<StreamEvent[]> {
    const end = performance.now() + wait;
    for (;;) {
      this.throwIfClosed();
      this.pump();
      if (this.events.length > 0) return this.events.splice(0);
      this.throwIfOver();
      const left = end - performance.now();
      if (left <= 0) return [];
      await this.woken(Math.min(left, LONGEST_TIMER));
    }
  }

  get hasMore(): boolean {
    return this.received?.isEmpty === false;
  }

  confirm(lsn: Lsn): void {
    this.status.confirm(lsn);
  }

  askPosition(): void {
    this.status.ask();
  }

  async close(): Promise<void> {
    this.closing ??= this.end();
    await this.closing;
  }

  private readonly onAbort = (): void => {
    this.wake();
    void this.close();
  };

  private async end(): Promise<void> {
    this.status.stop();
    this.options.signal.removeEventListener('abort', this.onAbort);
    const { socket } = this;
    if (socket === undefined) return;
    this.received?.discard();
    this.wake();
    // the server gives the slot back before it closes its end
    if (!socket.destroyed) {
      await new Promise<void>((resolve) => {
        const limit = setTimeout(resolve, CLOSE_LIMIT);
        socket.once('close', () => {
          clearTimeout(limit);
          resolve();
        });
        socket.end(TERMINATE);
      });
    }
    socket.destroy();
  }

  private throwIfClosed(): void {
    this.options.signal.throwIfAborted();
    if (this.closing !== undefined) throw new Error('the stream is closed');
  }

  private throwIfOver(): void {
    this.throwIfClosed();
    const failure = this.failure ?? this.disconnected;
    if (failure !== undefined) throw failure;
  }

  private async woken(limit: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limit);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private pump(): void {
    for (let taken = 0; taken < BYTES_PER_READ || this.events.length === 0;) {
      const chunk = this.failure === undefined ? this.received?.shift() : undefined;
      if (chunk === undefined) return;
      taken += chunk.length;
      try {
        this.cutter.push(chunk);
      } catch (error) {
        this.failure = streamFailure(error, this.options.place);
      }
    }
  }

  private take(type: number, buffer: Buffer, start: number, end: number): void {
    if (type === COPY_DATA) {
      this.takeData(buffer, start, end);
    } else if (type === COPY_BOTH) {
      this.started = true;
    } else if (type === ERROR) {
      throw readReport(buffer.subarray(start, end));
    } else if (type === NOTICE) {
      const notice = readReport(buffer.subarray(start, end));
      // from 18 on, a publication that is gone is left out with no more than this
      if (notice.code === '55000') throw notice;
    } else if (type !== PARAMETER_STATUS && type !== NOTIFICATION) {
      throw this.endedByServer();
    }
  }

  private takeData(buffer: Buffer, start: number, end: number): void {
    if (buffer[start] === KEEPALIVE) {
      this.takeKeepalive(buffer, start);
      return;
    }
    if (buffer[start] !== XLOG_DATA) throw new Error(`the walsender sent data of type ${buffer[start]}`);
    const event = this.decoder.decode(buffer, start + XLOG_DATA_HEADER, end);
    if (event === undefined) return;
    if (event.kind === 'begin') this.insideTransaction = true;
    if (event.kind === 'commit') {
      this.insideTransaction = false;
      this.reached = event.endLsn;
    }
    this.events.push(event);
  }

  private takeKeepalive(buffer: Buffer, start: number): void {
    const { sentTo, replyRequested } = readKeepalive(buffer, start);
    this.status.answered();
    if (replyRequested) this.status.send();
    // a server that begins anew at the slot's oldest WAL passes what was sent long ago
    if (this.insideTransaction || sentTo < this.reached) return;
    this.reached = sentTo;
    if (this.events.at(-1)?.kind === 'position') this.events.pop();
    this.events.push({ kind: 'position', lsn: sentTo });
  }

  /** At its shutdown a server ends the stream in good order, once all it sent is confirmed. */
  private endedByServer(): FlexliftError {
    return new FlexliftError({
      code: 'ServerRestarting',
      sentence: 'The server ended the replication stream.',
      remedy: 'Nothing to do if the server is being restarted: the work goes on by itself.',
      ...this.options.place,
    });
  }

  private write(message: Buffer): void {
    if (this.socket?.writable === true) this.socket.write(message);
  }

  private giveUp(): void {
    this.failure ??= new FlexliftError({
      code: 'Unreachable',
      sentence: `The server has sent nothing for ${Math.round(this.options.silence / 1000)} seconds, though it was asked.`,
      remedy: 'Nothing to do if the network is back: the work goes on by itself.',
      ...this.options.place,
    });
    this.socket?.destroy();
    this.wake();
  }
}
