import { setTimeout as pause } from 'node:timers/promises';
import type { BenchServers } from '../support/bench-servers';
import { withSession } from '../support/sessions';
import { DATABASE } from './schema';

/** Milliseconds. */
const BETWEEN_LOOKS = 500;

/** Looks all the time whether the source was told of more than the target's ledger holds. */
export class Confirmations {
  looks = 0;
  readonly faults = new Set<string>();
  private ended = false;
  private readonly loop: Promise<void>;

  constructor(private readonly servers: BenchServers) {
    this.loop = this.watch();
  }

  async stop(): Promise<void> {
    this.ended = true;
    await this.loop;
  }

  private async watch(): Promise<void> {
    while (!this.ended) {
      // a server that is being restarted answers the next time
      await this.look().catch(() => undefined);
      await pause(BETWEEN_LOOKS);
    }
  }

  /** The source first: the ledger only ever goes ahead meanwhile. */
  private async look(): Promise<void> {
    const { source, target } = this.servers;
    const confirmed = await withSession(source, DATABASE, async (client) => {
      const { rows } = await client.query<{ lsn: string }>(
        `SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots
          WHERE database = current_database() AND NOT temporary`,
      );
      return rows[0]?.lsn;
    });
    const [stream] = await withSession(target, DATABASE, async (client) => {
      const { rows } = await client.query<{ lsn: string; behind: boolean }>(
        'SELECT lsn::text, lsn < $1::pg_lsn AS behind FROM flexlift.stream',
        [confirmed],
      );
      return rows;
    });
    if (confirmed === undefined || stream === undefined) return;
    this.looks += 1;
    if (stream.behind)
      this.faults.add(`the source was told of ${confirmed} while the ledger held ${stream.lsn}`);
  }
}
