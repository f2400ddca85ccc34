import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import type { SampleServer } from './sample-databases';

export interface SampleWriterFigures {
  /** Transactions that the server has acknowledged. */
  committed: number;
  /** The longest time between two of them, seconds: for so long the application could not write. */
  longestPause: number;
}

/** Milliseconds. */
const INTERVAL = 10;
const RECONNECT = 50;

/**
 * An application that writes to the sample's shop all the time: orders come, are paid and are cancelled. It comes back
 * by itself when it is thrown out, and can be moved to another server.
 */
export class SampleWriter {
  private committed = 0;
  private longestPause = 0;
  private last = performance.now();
  private ended = false;
  private readonly loop: Promise<void>;

  constructor(
    private server: SampleServer,
    private readonly database: string,
  ) {
    this.loop = this.write();
  }

  get figures(): SampleWriterFigures {
    return { committed: this.committed, longestPause: this.longestPause };
  }

  /** From its next transaction on it writes there. */
  moveTo(server: SampleServer): void {
    this.server = server;
  }

  async stop(): Promise<void> {
    this.ended = true;
    await this.loop;
  }

  private async write(): Promise<void> {
    while (!this.ended) {
      const { server } = this;
      const { host, port, user, password } = server;
      const client = new Client({ host, port, user, password, database: this.database });
      client.on('error', () => undefined);
      try {
        await client.connect();
        // not ended from outside: a client that is just connecting would never come back
        while (!this.ended && this.server === server) {
          await this.writeOnce(client);
          await pause(INTERVAL);
        }
      } catch {
        // fenced, restarted or moved: an application tries again
        await pause(RECONNECT);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }

  private async writeOnce(client: Client): Promise<void> {
    await client.query(TRANSACTION);
    const now = performance.now();
    this.longestPause = Math.max(this.longestPause, (now - this.last) / 1000);
    this.last = now;
    this.committed += 1;
  }
}

/** An order with its line comes, an older one is paid, a still older one goes; and a table without a key grows. */
const TRANSACTION = `
  BEGIN;
  WITH placed AS (
    INSERT INTO shop.orders (customer_id, placed, ship_to, history, remark)
    SELECT customer_id, now(), ship_to, history, 'placed while it migrates' FROM shop.orders ORDER BY id LIMIT 1
    RETURNING id)
  INSERT INTO shop."Order Lines" ("order id", "line no", product_id, quantity, unit_price)
  SELECT placed.id, 1, line.product_id, 2, line.unit_price
    FROM placed, (SELECT product_id, unit_price FROM shop."Order Lines" ORDER BY 1 LIMIT 1) AS line;
  UPDATE shop.orders SET status = 'paid', history = history || shop.orders.status
   WHERE id = (SELECT max(id) - 5 FROM shop.orders);
  DELETE FROM shop."Order Lines" WHERE "order id" = (SELECT max(id) - 50 FROM shop.orders);
  DELETE FROM shop.payments WHERE order_id = (SELECT max(id) - 50 FROM shop.orders);
  DELETE FROM shop.orders WHERE id = (SELECT max(id) - 50 FROM shop.orders);
  INSERT INTO shop.audit_log (at, who, what) VALUES (now(), current_user, 'order placed');
  COMMIT`;
