import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { testAddress, type Major } from './servers';

/** The SQL of one transaction; both count from 0 and 1. */
type Transaction = (session: number, turn: number) => string;

/** Rows below are referenced by others and stay; those from here on come and go. */
const FIRST_FREE_ID = 10_000_000;

/**
 * Applications that write to a shop-like database all the time and come back whenever they are thrown out: rows
 * inserted, updated, moved to another key and deleted, in transactions with savepoints and rollbacks.
 */
export class Writers {
  /** Transactions that were acknowledged. */
  committed = 0;
  private ended = false;
  private readonly loops: Promise<void>[];

  private constructor(
    private readonly major: Major,
    private readonly database: string,
    sessions: number,
    private readonly interval: number,
    private readonly transaction: Transaction,
  ) {
    this.loops = Array.from({ length: sessions }, (_, index) => this.write(index));
  }

  /** @param options.interval milliseconds between two transactions of a session */
  static start(
    major: Major,
    database: string,
    options: { sessions?: number; interval?: number; transaction?: Transaction } = {},
  ): Writers {
    const { sessions = 3, interval = 5, transaction = shopTransactions() } = options;
    return new Writers(major, database, sessions, interval, transaction);
  }

  async stop(): Promise<void> {
    this.ended = true;
    await Promise.all(this.loops);
  }

  private async write(session: number): Promise<void> {
    let turn = 0;
    while (!this.ended) {
      const { host, port, user } = testAddress(this.major);
      const client = new Client({
        host,
        port,
        user,
        database: this.database,
        application_name: 'application',
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        while (!this.ended) {
          turn += 1;
          await client.query(this.transaction(session, turn));
          this.committed += 1;
          if (this.interval > 0) await pause(this.interval);
        }
      } catch {
        await pause(20);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }
}

const IDS_OF_WRITERS = 100_000;
const MOST_WRITERS = 10;
let writersBegun = 0;

/** Rows of earlier writers may still be there: in the way of the same ids, they would fail every transaction. */
function shopTransactions(): Transaction {
  const first = FIRST_FREE_ID + (writersBegun % MOST_WRITERS) * IDS_OF_WRITERS;
  writersBegun += 1;
  return (session, turn) => shopTransaction(first, session, turn);
}

/** A session has ids of its own, so that sessions never wait for each other for long. */
function shopTransaction(first: number, session: number, turn: number): string {
  const id = first + session * MOST_WRITERS * IDS_OF_WRITERS + turn * 2;
  const shared = 1_000 + ((turn * 7919 + session * 31) % 9_000);
  const old = id - 2 * (turn % 50);
  const end = turn % 9 === 0 ? 'ROLLBACK' : 'COMMIT';
  return `
    BEGIN;
    INSERT INTO big VALUES (${id}, now(), 'new', repeat('y', ${turn % 3000}));
    SAVEPOINT s;
    UPDATE big SET kind = 'lost' WHERE id = ${shared};
    ROLLBACK TO s;
    UPDATE big SET kind = 'kind ' || ${turn} WHERE id = ${shared};
    UPDATE big SET id = id + 1 WHERE id = ${old} AND ${turn % 5 === 0};
    DELETE FROM big WHERE id = ${old} - 100;
    UPDATE "Small ${1 + (turn % 12)}" SET note = 'turn ' || ${turn} WHERE id = 1 + ${turn % 10};
    SELECT nextval('numbers');
    ${end}`;
}
