import type { Client } from 'pg';
import type { BenchServers } from '../support/bench-servers';
import { poll, withSession } from '../support/sessions';
import { differences, tableContents } from '../support/table-contents';

/** The replicated database; it has the same name on both sides. */
export const DATABASE = 'bench';
/** On the target: the tables as they were before the backlog. */
export const COPIED = 'bench_copied';

/** Its row is the backlog's last transaction: who sees it on the target sees all that came before. */
const END_TABLE = 'CREATE TABLE bench_end (reached boolean PRIMARY KEY)';
/** Milliseconds. */
const LOOK_INTERVAL = 10;

/** What the tables are before the backlog. Run on both sides, so it must make the same rows each time. */
export type Fill = (client: Client) => Promise<void>;

/** A source with a backlog, and as many fresh targets as there are runs. */
export class Bed {
  private static made = 0;

  /** Of all beds on these servers, from 1 on. */
  readonly number: number;
  private expected: Record<string, string> = {};
  /** Bytes of WAL. */
  backlogBytes = 0;
  /** Where the source's WAL ends after the backlog, e.g. `0/16B3748`. */
  endLsn = '';

  private constructor(
    readonly servers: BenchServers,
    readonly signal: AbortSignal,
  ) {
    Bed.made += 1;
    this.number = Bed.made;
  }

  static async create(servers: BenchServers, fill: Fill, signal: AbortSignal): Promise<Bed> {
    const bed = new Bed(servers, signal);
    for (const [server, database] of [
      [servers.source, DATABASE],
      [servers.target, COPIED],
    ] as const) {
      await withSession(server, 'postgres', (client) => client.query(`CREATE DATABASE ${database}`));
      await withSession(server, database, async (client) => {
        await client.query(END_TABLE);
        await fill(client);
        await client.query('VACUUM ANALYZE');
      });
    }
    return bed;
  }

  /** Between the slots' creation and the first run. */
  async makeBacklog(write: () => Promise<void>): Promise<void> {
    await withSession(this.servers.source, DATABASE, async (client) => {
      const from = await walEnd(client);
      await write();
      await client.query('INSERT INTO bench_end VALUES (true)');
      this.backlogBytes = Number((await walEnd(client)) - from);
      const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
      this.endLsn = rows[0]?.lsn ?? '';
      this.expected = await tableContents(client);
    });
  }

  /** The database of the next run; whatever was there is gone. */
  async freshTarget(template: string): Promise<void> {
    await withSession(this.servers.target, 'postgres', async (client) => {
      await client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
      // with the files copied, no run pays for the WAL of its own beginning
      await client.query(`CREATE DATABASE ${DATABASE} TEMPLATE ${template} STRATEGY file_copy`);
    });
  }

  /** What the target is now becomes a template. */
  async keepTarget(template: string): Promise<void> {
    await withSession(this.servers.target, 'postgres', (client) =>
      client.query(`ALTER DATABASE ${DATABASE} RENAME TO ${template}`),
    );
  }

  /** Both servers begin a run with nothing left to write out. */
  async settle(): Promise<void> {
    for (const server of [this.servers.source, this.servers.target]) {
      await withSession(server, 'postgres', (client) => client.query('CHECKPOINT'));
    }
  }

  /** Resolves as soon as the backlog's last transaction is seen on the target, or fails with `failure`. */
  async endSeen(failure: Promise<never>): Promise<void> {
    const seen = withSession(this.servers.target, DATABASE, (client) =>
      poll(LOOK_INTERVAL, this.signal, async () => {
        const { rowCount } = await client.query('SELECT FROM bench_end');
        return rowCount === 1 ? true : undefined;
      }),
    );
    await Promise.race([seen, failure]);
  }

  /** @throws Error where the target is not what the source is: a fast way to wrong rows is worth nothing */
  async checkTarget(): Promise<void> {
    const found = await withSession(this.servers.target, DATABASE, tableContents);
    const wrong = differences(this.expected, found);
    if (wrong.length > 0) throw new Error(`the target differs: ${wrong.join('; ')}`);
  }

  async drop(): Promise<void> {
    const { source, target } = this.servers;
    await withSession(source, 'postgres', async (client) => {
      await client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
      await client.query(`DROP DATABASE ${DATABASE} WITH (FORCE)`);
    });
    await withSession(target, 'postgres', async (client) => {
      const { rows } = await client.query<{ datname: string }>(
        `SELECT datname FROM pg_database WHERE datname ~ '^bench'`,
      );
      for (const { datname } of rows) await client.query(`DROP DATABASE ${datname} WITH (FORCE)`);
    });
  }
}

async function walEnd(client: Client): Promise<bigint> {
  const { rows } = await client.query<{ at: string }>(
    `SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS at`,
  );
  return BigInt(rows[0]?.at ?? 0);
}
