import type { Client } from 'pg';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import type { BenchServers } from '../support/bench-servers';
import { findPgbench, runProgram } from '../support/programs';
import { poll, uriOf, withSession } from '../support/sessions';
import { percentile } from '../support/statistics';
import { Bed, DATABASE } from './bed';
import type { Engine } from './engine';

export interface SteadyResult {
  /** Transactions per second, as asked for. */
  rate: number;
  engine: string;
  written: number;
  seconds: number;
  /** Milliseconds. */
  delays: { p50: number; p99: number; max: number; seen: number };
  /** Milliseconds. */
  targetP99?: number;
}

const WRITERS = 8;
const ACCOUNTS = 100_000;
/** Milliseconds. */
const LOOK_INTERVAL = 5;

const TABLES = `
  CREATE TABLE ticks (writer int, n bigserial, at timestamptz NOT NULL, PRIMARY KEY (writer, n));
  CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, filler text NOT NULL);
  INSERT INTO accounts SELECT g, 0, repeat('x', 80) FROM generate_series(1, ${ACCOUNTS}) g`;

/** The clock is read before the commit: the delay holds the source's own commit too. */
const SCRIPT = `
\\set id random(1, ${ACCOUNTS})
BEGIN;
UPDATE accounts SET balance = balance + 1 WHERE id = :id;
INSERT INTO ticks (writer, at) VALUES (:client_id, clock_timestamp());
COMMIT;
`;

/**
 * Writers at a fixed rate while one engine replicates. A row's delay is from the source's clock before its commit to the
 * target's clock when a session there first sees it; both servers share one machine, and so one clock.
 */
export async function runSteadyLoad(options: {
  servers: BenchServers;
  engine: Engine;
  rate: number;
  seconds: number;
  targetP99?: number;
  signal: AbortSignal;
}): Promise<SteadyResult> {
  const { servers, engine, rate, seconds, targetP99, signal } = options;
  const bed = await Bed.create(servers, async (client) => void (await client.query(TABLES)), signal);
  try {
    await engine.prepare(bed, 1);
    const run = await engine.ready(bed, 1);
    const watch = new DelayWatch();
    try {
      await run.go();
      const load = writeAtRate(servers, rate, seconds, signal);
      const over = load.then(async () => {
        await withSession(servers.source, DATABASE, (client) =>
          client.query('INSERT INTO bench_end VALUES (true)'),
        );
      });
      await Promise.race([Promise.all([over, watch.untilEnd(servers, signal)]), run.failure]);
    } finally {
      await run.finish();
    }
    const { delays } = watch;
    const written = await withSession(servers.source, DATABASE, async (client) => {
      const { rows } = await client.query<{ n: string }>('SELECT count(*) AS n FROM ticks');
      return Number(rows[0]?.n);
    });
    return {
      rate,
      engine: engine.name,
      written,
      seconds,
      delays: {
        p50: percentile(delays, 0.5),
        p99: percentile(delays, 0.99),
        max: percentile(delays, 1),
        seen: delays.length,
      },
      targetP99,
    };
  } finally {
    await engine.close?.();
    await bed.drop();
  }
}

async function writeAtRate(
  { directory, source }: BenchServers,
  rate: number,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  const path = findPgbench(source);
  if (path === undefined) throw new Error('there is no pgbench on PATH');
  const script = join(directory, 'steady.sql');
  writeFileSync(script, SCRIPT);
  const load = ['-n', '-c', String(WRITERS), '-T', String(seconds), '-R', String(rate), '-M', 'prepared'];
  await runProgram(path, [...load, '-f', script, uriOf(source, DATABASE)], { signal });
}

/** Sees each writer's rows in the order they were committed in. */
class DelayWatch {
  /** Milliseconds, one per row. */
  readonly delays: number[] = [];
  private readonly last = Array.from({ length: WRITERS }, () => 0);

  async untilEnd({ target }: BenchServers, signal: AbortSignal): Promise<void> {
    await withSession(target, DATABASE, (client) =>
      poll(LOOK_INTERVAL, signal, async () => {
        const { rowCount } = await client.query('SELECT FROM bench_end');
        await this.look(client);
        return rowCount === 1 ? true : undefined;
      }),
    );
  }

  private async look(client: Client): Promise<void> {
    const { rows } = await client.query<{ writer: number; n: string; delay: number }>({
      name: 'look',
      text: `SELECT t.writer, t.n, (extract(epoch FROM clock_timestamp() - t.at) * 1000)::float8 AS delay
               FROM unnest($1::bigint[]) WITH ORDINALITY AS seen(n, writer)
              CROSS JOIN LATERAL (SELECT * FROM ticks WHERE writer = seen.writer - 1 AND n > seen.n ORDER BY n) AS t`,
      values: [this.last],
    });
    for (const { writer, n, delay } of rows) {
      this.delays.push(delay);
      this.last[writer] = Math.max(this.last[writer] ?? 0, Number(n));
    }
  }
}
