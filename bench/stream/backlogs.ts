import { findPgbench, runProgram } from '../support/programs';
import { uriOf, withSession } from '../support/sessions';
import type { BacklogCase } from './backlog-case';
import { DATABASE, type Bed } from './bed';

/** What is written is not what is measured: the source need not wait for its disk. */
const FAST = { PGOPTIONS: '-c synchronous_commit=off' };
const PGBENCH_SCALE = 10;
const PGBENCH_CLIENTS = 8;
const SMALL_TABLE =
  'id bigint PRIMARY KEY, label text NOT NULL, amount numeric NOT NULL, at timestamptz NOT NULL';
const SMALL_ROW = `g, 'label ' || g, g / 7.0, timestamptz '2026-01-01 00:00Z' + g * interval '1 second'`;

/** @param size share of the full size, above 0; the targets are for the full size alone */
export function backlogCases(size: number): BacklogCase[] {
  const scaled = (count: number) => Math.max(PGBENCH_CLIENTS, Math.round(count * size));
  const cases = [
    pgbench(scaled(100_000)),
    inserts(scaled(1_000_000)),
    updates(scaled(500_000)),
    largeTransaction(scaled(5_000_000)),
  ];
  if (size >= 1) return cases;
  return cases.map((each) => ({ ...each, targetRatio: undefined, targetPeakBytes: undefined }));
}

/** TPC-B-like: three updates and an insert; ten branches and a hundred tellers are updated again and again. */
function pgbench(transactions: number): BacklogCase {
  return {
    name: 'pgbench',
    title: `${transactions} pgbench transactions, scale ${PGBENCH_SCALE}`,
    targetRatio: 0.6,
    fill: async (client) => {
      await client.query(PGBENCH_TABLES);
    },
    write: async ({ servers: { source }, signal }) => {
      const path = findPgbench(source);
      if (path === undefined) throw new Error('there is no pgbench on PATH');
      const each = Math.round(transactions / PGBENCH_CLIENTS);
      const load = ['-n', '-c', String(PGBENCH_CLIENTS), '-t', String(each), '-M', 'prepared'];
      await runProgram(path, [...load, uriOf(source, DATABASE)], { signal, environment: FAST });
    },
  };
}

/** As pgbench -i makes them; it has no way to make two databases the same without copying one. */
const PGBENCH_TABLES = `
  CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
  INSERT INTO pgbench_branches SELECT g, 0 FROM generate_series(1, ${PGBENCH_SCALE}) g;
  INSERT INTO pgbench_tellers SELECT g, (g - 1) / 10 + 1, 0 FROM generate_series(1, ${PGBENCH_SCALE * 10}) g;
  INSERT INTO pgbench_accounts
  SELECT g, (g - 1) / 100000 + 1, 0, '' FROM generate_series(1, ${PGBENCH_SCALE * 100_000}) g`;

function inserts(rows: number): BacklogCase {
  const each = 1_000;
  return {
    name: 'insert',
    title: `${rows} rows inserted, ${each} per transaction`,
    targetRatio: 1,
    fill: async (client) => {
      await client.query(`CREATE TABLE items (${SMALL_TABLE})`);
    },
    write: (bed) =>
      inTransactions(
        bed,
        rows,
        each,
        `INSERT INTO items SELECT ${SMALL_ROW} FROM generate_series(first, last) g`,
      ),
  };
}

/** No row is changed twice: nothing can be left out. */
function updates(rows: number): BacklogCase {
  const each = 100;
  return {
    name: 'update',
    title: `${rows} rows updated once, ${each} per transaction`,
    targetRatio: 1,
    fill: async (client) => {
      await client.query(`CREATE TABLE items (${SMALL_TABLE})`);
      await client.query(`INSERT INTO items SELECT ${SMALL_ROW} FROM generate_series(1, ${rows}) g`);
    },
    write: (bed) =>
      inTransactions(bed, rows, each, 'UPDATE items SET amount = amount + 1 WHERE id BETWEEN first AND last'),
  };
}

function largeTransaction(rows: number): BacklogCase {
  return {
    name: 'large',
    title: `one transaction of ${rows} rows`,
    targetPeakBytes: 300 * 1024 ** 2,
    fill: async (client) => {
      await client.query(`CREATE TABLE items (${SMALL_TABLE})`);
    },
    write: ({ servers: { source } }) =>
      withSession(source, DATABASE, async (client) => {
        await client.query(`INSERT INTO items SELECT ${SMALL_ROW} FROM generate_series(1, ${rows}) g`);
      }),
  };
}

/** @param statement of `first` and `last`, the ids of one transaction */
async function inTransactions(bed: Bed, rows: number, each: number, statement: string): Promise<void> {
  await withSession(bed.servers.source, DATABASE, async (client) => {
    await client.query('SET synchronous_commit = off');
    await client.query(
      `DO $$ DECLARE last bigint; first bigint; BEGIN
         FOR first IN SELECT generate_series(1, ${rows}, ${each}) LOOP
           last := least(first + ${each - 1}, ${rows});
           ${statement};
           COMMIT;
         END LOOP; END $$`,
    );
  });
}
