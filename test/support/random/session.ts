import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { testAddress, type Major } from '../servers';
import type { Transaction } from './program';
import type { RandomTable } from './random-table';
import { isDue, stepsOf, type Statement, type Step } from './statements';

/** Milliseconds; random sessions stand in each other's way. */
const LOCK_TIMEOUT = 1_000;
const BETWEEN_TRIES = 50;

export interface SessionArguments {
  source: Major;
  database: string;
  tables: RandomTable[];
  transactions: Transaction[];
  /** Names its prepared transactions. */
  name: string;
}

/** An application that repeats its transactions until it is stopped, and comes back whenever it is thrown out. */
export class RandomSession {
  /** Transactions that were acknowledged. */
  committed = 0;
  private ended = false;
  private turn = 0;
  private readonly loop: Promise<void>;

  private constructor(private readonly args: SessionArguments) {
    this.loop = this.work();
  }

  static start(args: SessionArguments): RandomSession {
    return new RandomSession(args);
  }

  /** After its present transaction. */
  async stop(): Promise<void> {
    this.ended = true;
    await this.loop;
  }

  private async work(): Promise<void> {
    while (!this.ended) {
      await this.connected(async (client) => {
        while (!this.ended) await this.repeat(client);
      }).catch(() => pause(BETWEEN_TRIES));
    }
  }

  private async connected(work: (client: Client) => Promise<void>): Promise<void> {
    const { host, port, user } = testAddress(this.args.source);
    const client = new Client({ host, port, user, database: this.args.database });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query(`SET search_path = public, e, s; SET lock_timeout = ${LOCK_TIMEOUT}`);
      await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  private async repeat(client: Client): Promise<void> {
    const { transactions } = this.args;
    const transaction = transactions[this.turn % transactions.length];
    this.turn += 1;
    if (transaction === undefined) return;
    try {
      await this.perform(client, transaction);
    } catch (error) {
      // a session that is still there was only refused something
      await client.query('ROLLBACK');
      if (!(error instanceof Error)) throw error;
      await pause(BETWEEN_TRIES);
    }
    await pause(transaction.pauses.after);
  }

  private async perform(client: Client, transaction: Transaction): Promise<void> {
    const { statements, isolation, isAsynchronous, undone, end, pauses } = transaction;
    await client.query(`BEGIN ISOLATION LEVEL ${isolation}; SET CONSTRAINTS ALL DEFERRED`);
    if (isAsynchronous) await client.query('SET LOCAL synchronous_commit = off');
    const middle = Math.floor((statements.length - undone) / 2);
    for (const [at, statement] of statements.entries()) {
      if (undone > 0 && at === middle) await client.query('SAVEPOINT undone');
      await this.execute(client, statement, transaction.isGuarded);
      if (undone > 0 && at === middle + undone - 1) await client.query('ROLLBACK TO undone');
    }
    await pause(pauses.open);
    if (end === 'commit') await client.query('COMMIT');
    else if (end === 'rollback') await client.query('ROLLBACK');
    else await this.endPrepared(client, end === 'prepare' ? 'COMMIT' : 'ROLLBACK', pauses.prepared);
    this.committed += 1;
  }

  private async execute(client: Client, statement: Statement, isGuarded: boolean): Promise<void> {
    const round = Math.floor(this.turn / this.args.transactions.length);
    if (!isDue(statement, round)) return;
    const run = async () => {
      for (const step of stepsOf(statement, this.args.tables, round)) await takeStep(client, step);
    };
    if (!isGuarded) return await run();
    await client.query('SAVEPOINT guard');
    try {
      await run();
      await client.query('RELEASE guard');
    } catch {
      await client.query('ROLLBACK TO guard');
    }
  }

  /** A prepared transaction outlives its session, and is ended whatever becomes of that. */
  private async endPrepared(client: Client, how: 'COMMIT' | 'ROLLBACK', after: number): Promise<void> {
    const gid = `${this.args.name} ${this.turn}`;
    try {
      await client.query(`PREPARE TRANSACTION '${gid}'`);
      await pause(after);
      await client.query(`${how} PREPARED '${gid}'`);
    } catch (error) {
      await this.makeSure(`${how} PREPARED '${gid}'`);
      throw error;
    }
  }

  private async makeSure(statement: string): Promise<void> {
    for (;;) {
      try {
        return await this.connected(async (client) => void (await client.query(statement)));
      } catch (error) {
        // it was never prepared, or is over
        if ((error as { code?: string }).code === '42704') return;
        await pause(BETWEEN_TRIES);
      }
    }
  }
}

async function takeStep(client: Client, step: Step): Promise<void> {
  if ('sql' in step) {
    await client.query(step.sql);
    return;
  }
  const rows = await buffer(client.query(copyTo(`COPY (${step.rows}) TO STDOUT`)));
  const stream = client.query(copyFrom(`COPY ${step.copyInto} FROM STDIN`));
  stream.end(rows);
  await finished(stream);
}
