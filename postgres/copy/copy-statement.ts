import type { Socket } from 'node:net';
import type { Connection, Submittable } from 'pg';
import { takeReads } from '../connect';

/**
 * COPY statements that run one after the other on a `pg` Client, as one query; the handlers are what the Client calls for
 * each message. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */
abstract class CopyStatement implements Submittable {
  /** Once the server is ready for the next query. Rejects with what the server or socket threw. */
  readonly finished: Promise<void>;
  settled = false;

  private resolve!: () => void;
  private reject!: (error: Error) => void;

  constructor(private readonly statements: string[]) {
    this.finished = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.finished.catch(() => undefined);
  }

  submit(connection: Connection): void {
    connection.query(this.statements.join(';\n'));
  }

  handleReadyForQuery(): void {
    this.settled = true;
    this.resolve();
  }

  handleError(error: Error): void {
    this.settled = true;
    this.reject(error);
  }
}

/** `COPY … TO STDOUT`: all its messages but the last go to the walker and never through pg's parser. */
export class CopyOut extends CopyStatement {
  /** @param walk gets each chunk, and returns what follows the stream's end */
  constructor(
    statements: string[],
    private readonly walk: (chunk: Buffer, release: () => void) => Buffer | undefined,
  ) {
    super(statements);
  }

  override submit(connection: Connection): void {
    const socket = connection.stream as Socket;
    const giveBack = takeReads(socket, (chunk, release) => {
      try {
        const rest = this.walk(chunk, release);
        if (rest === undefined) return;
        giveBack();
        // a copy, for pg's parser keeps what is not whole yet
        socket.emit('data', Buffer.from(rest));
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined);
      }
    });
    super.submit(connection);
  }
}

/**
 * `COPY … FROM STDIN`: the server's side of the socket stays with pg's parser, ours is free once the first is accepted: the
 * data of all of them may be sent without waiting for the others.
 */
export class CopyIn extends CopyStatement {
  /** The server takes data from now on. */
  readonly accepted: Promise<void>;
  /** Of each statement that is complete, the `n` of its `COPY n`. */
  readonly stored: number[] = [];

  private accept!: () => void;

  constructor(statements: string[]) {
    super(statements);
    this.accepted = new Promise((resolve, reject) => {
      this.accept = resolve;
      this.finished.catch(reject);
    });
    this.accepted.catch(() => undefined);
  }

  handleCopyInResponse(): void {
    this.accept();
  }

  handleCommandComplete(message: { text: string }): void {
    this.stored.push(Number(/^COPY (\d+)$/.exec(message.text)?.[1]));
  }
}

export const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);

export function copyFail(reason: string): Buffer {
  const text = Buffer.from(`${reason}\0`);
  const header = Buffer.from([0x66, 0, 0, 0, 0]);
  header.writeUInt32BE(text.length + 4, 1);
  return Buffer.concat([header, text]);
}
