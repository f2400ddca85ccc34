import type { Socket } from 'node:net';
import { DatabaseError, type Client, type Connection, type Submittable } from 'pg';
import { MessageWriter } from './message-writer';
import type { TargetTable } from './target-table';

/** Statements wait for the socket while more than this is on its way. */
const MOST_BYTES_WAITING = 4 * 1024 ** 2;

export interface Statement {
  sql: string;
  /** Oids. */
  parameters: number[];
}

/** What a statement is to do; known again when its outcome comes. */
export interface Expectation {
  action: 'prepare' | 'insert' | 'update' | 'delete' | 'truncate';
  table?: TargetTable;
  /** Absent: any number. */
  rows?: number;
}

/** The first statement whose outcome was not the expected one. */
export class StatementFailure extends Error {
  /** @param found the number of rows; absent where the server refused the statement */
  constructor(
    readonly expectation: Expectation,
    readonly found: number | undefined,
    options?: { cause: Error },
  ) {
    super('a statement of the pipeline failed', options);
  }
}

/**
 * A run of statements on a `pg` Client that is sent without waiting for each one's answer: the server works while the
 * next one is being built, and a distant server costs one round trip. Statements after one that failed are skipped.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export class Pipeline implements Submittable {
  private readonly writer: MessageWriter;
  private readonly expectations: Expectation[] = [];
  private readonly names = new Map<Statement, string>();
  private readonly settled: Promise<void>;

  private socket: Socket | undefined;
  private early: Buffer[] = [];
  private answered = 0;
  private isCopying = false;
  private failure: Error | undefined;
  private settle!: () => void;

  constructor() {
    this.writer = new MessageWriter((chunk) => this.send(chunk));
    this.settled = new Promise((resolve) => (this.settle = resolve));
  }

  /** Runs `work`, then waits for the outcome of all its statements. @throws StatementFailure */
  static async run(target: Client, work: (pipeline: Pipeline) => Promise<void>): Promise<void> {
    const pipeline = target.query(new Pipeline());
    try {
      await work(pipeline);
    } catch (error) {
      pipeline.failure ??= error instanceof Error ? error : new Error(String(error));
    }
    await pipeline.finish();
  }

  /** @param bind writes the parameters: for each its length in 4 bytes and its text */
  execute(statement: Statement, expectation: Expectation, bind?: (writer: MessageWriter) => void): void {
    const { writer } = this;
    const name = this.prepare(statement);
    writer.begin('B');
    this.bindHead(name, statement);
    bind?.(writer);
    writer.int16(0);
    writer.finish();
    this.executeBound(expectation);
  }

  /** As `execute`; long values are not copied on their way to the socket. */
  executeWith(statement: Statement, expectation: Expectation, values: (Buffer | null)[]): void {
    const { writer } = this;
    const name = this.prepare(statement);
    const bytes = values.reduce((sum, value) => sum + 4 + (value?.length ?? 0), 0);
    writer.beginSized('B', 1 + name.length + 1 + 2 + 2 + bytes + 2);
    this.bindHead(name, statement);
    for (const value of values) {
      writer.int32(value === null ? -1 : value.length);
      if (value !== null) writer.value(value);
    }
    writer.int16(0);
    this.executeBound(expectation);
  }

  /** `COPY … FROM STDIN`; `write` puts the data into CopyData messages. */
  async copy(
    statement: Statement,
    expectation: Expectation,
    write: (writer: MessageWriter) => Promise<void>,
  ): Promise<void> {
    this.execute(statement, expectation);
    this.isCopying = true;
    await write(this.writer);
    this.emptyMessage('c');
    this.isCopying = false;
  }

  get isCrowded(): boolean {
    return this.failure !== undefined || (this.socket?.writableLength ?? 0) > MOST_BYTES_WAITING;
  }

  /** To be called while there is more to write: waits for the socket. @throws what has failed so far */
  async breathe(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    const { socket } = this;
    if (!this.isCrowded || socket?.writableNeedDrain !== true) return;
    let drained = () => {};
    const drain = new Promise<void>((resolve) => socket.once('drain', (drained = resolve)));
    await Promise.race([drain, this.settled]);
    socket.off('drain', drained);
  }

  private async finish(): Promise<void> {
    if (this.isCopying) {
      this.writer.begin('f');
      this.writer.text('given up');
      this.writer.finish();
    }
    for (const name of this.names.values()) this.close(name);
    this.emptyMessage('S');
    this.writer.flush();
    await this.settled;
    if (this.failure !== undefined) throw this.failure;
  }

  /** A statement is parsed once in a pipeline; an earlier one that failed may have left its name behind. */
  private prepare(statement: Statement): string {
    const known = this.names.get(statement);
    if (known !== undefined) return known;
    const name = `flexlift_${this.names.size}`;
    this.names.set(statement, name);
    this.close(name);
    const { writer } = this;
    writer.begin('P');
    writer.text(name);
    writer.text(statement.sql);
    writer.int16(statement.parameters.length);
    for (const oid of statement.parameters) writer.int32(oid | 0);
    writer.finish();
    return name;
  }

  /** Unnamed portal; all parameters are text. */
  private bindHead(name: string, statement: Statement): void {
    this.writer.byte(0);
    this.writer.text(name);
    this.writer.int16(0);
    this.writer.int16(statement.parameters.length);
  }

  private executeBound(expectation: Expectation): void {
    const { writer } = this;
    writer.begin('E');
    writer.byte(0);
    writer.int32(0);
    writer.finish();
    this.expectations.push(expectation);
  }

  private close(name: string): void {
    this.writer.begin('C');
    this.writer.byte('S'.charCodeAt(0));
    this.writer.text(name);
    this.writer.finish();
  }

  private emptyMessage(type: string): void {
    this.writer.begin(type);
    this.writer.finish();
  }

  private send(chunk: Buffer): void {
    if (this.socket === undefined) this.early.push(chunk);
    else this.socket.write(chunk);
  }

  submit(connection: Connection): void {
    this.socket = connection.stream as Socket;
    for (const chunk of this.early) this.socket.write(chunk);
    this.early = [];
  }

  handleCommandComplete({ text }: { text: string }): void {
    const expectation = this.expectations[this.answered];
    this.answered += 1;
    if (expectation?.rows === undefined) return;
    const found = Number(text.slice(text.lastIndexOf(' ') + 1));
    if (found !== expectation.rows) this.failure ??= new StatementFailure(expectation, found);
  }

  handleError(error: Error): void {
    const expectation = this.expectations[this.answered];
    // an earlier surprise explains more than what came of it
    this.failure ??=
      error instanceof DatabaseError && expectation !== undefined
        ? new StatementFailure(expectation, undefined, { cause: error })
        : error;
    this.settle();
  }

  handleReadyForQuery(): void {
    this.settle();
  }

  /** What `pg` calls for messages that say nothing here. */
  handleCopyInResponse(): void {}
  handleDataRow(): void {}
}
