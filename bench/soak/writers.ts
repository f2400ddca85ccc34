import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import type { PostgresServer } from '../../embedded';
import { uriOf } from '../support/sessions';
import { DATABASE } from './schema';
import { randomTransaction } from './workload';

/** Milliseconds. */
const RECONNECT = 100;

/** Applications that write all the time and come back whenever they are thrown out. */
export class Writers {
  /** Transactions that were acknowledged, and those that failed: deadlocks, lost sessions, the fence. */
  committed = 0;
  failed = 0;
  private ended = false;
  private readonly loops: Promise<void>[];

  /** @param interval milliseconds between two transactions of a session, on average */
  constructor(
    private readonly server: PostgresServer,
    sessions: number,
    private readonly interval: number,
  ) {
    this.loops = Array.from({ length: sessions }, (_, session) => this.write(session));
  }

  async stop(): Promise<void> {
    this.ended = true;
    await Promise.all(this.loops);
  }

  private async write(session: number): Promise<void> {
    while (!this.ended) {
      const client = new Client({ connectionString: uriOf(this.server, DATABASE) });
      client.on('error', () => undefined);
      try {
        await client.connect();
        while (!this.ended) await this.writeOnce(client, session);
      } catch {
        this.failed += 1;
        await pause(RECONNECT);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }

  private async writeOnce(client: Client, session: number): Promise<void> {
    await client.query('BEGIN');
    for (const statement of randomTransaction(session)) await client.query(statement);
    await client.query('COMMIT');
    this.committed += 1;
    await pause(Math.random() * 2 * this.interval);
  }
}
