import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { quoteIdentifier } from '../../../postgres/connect';
import { formatLsn, parseLsn } from '../../../postgres/replicate/lsn';
import { PgoutputDecoder, type Change, type Tuple } from '../../../postgres/replicate/pgoutput';
import { eventually } from '../../support/eventually';
import { withSession, type Major } from '../../support/servers';
import { OnlinePair, type Keeper } from './online-fixture';

const WRITERS = 5;
const TABLES = ['large "a🐘', 'large.b', "small 'a", 'small b'] as const;
const SLOT = 'handoff_';

let online: OnlinePair;
let slot: string;
let over: AbortController;
let writers: Promise<number[]>;

async function setUp(source: Major, target: Major): Promise<void> {
  online = await OnlinePair.create(source, target);
  slot = `${SLOT}${online.pair.databases.source}`;
  for (const table of TABLES) {
    await online.pair.both(
      `CREATE TABLE ${quoteIdentifier(table)} (id int PRIMARY KEY, writer text NOT NULL, v text)`,
    );
    const rows = table.startsWith('large') ? 1500 : 50;
    await online.pair.sql(
      'source',
      `INSERT INTO ${quoteIdentifier(table)} SELECT g, 'nobody', repeat('x', 180) FROM generate_series(1, ${rows}) g`,
    );
  }
  await online.pair.sql('source', 'CREATE PUBLICATION handoff FOR ALL TABLES');
  await online.pair.sql('source', `SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
}

afterEach(async () => {
  over.abort();
  await writers;
  await online.pair.sql('source', 'SELECT pg_drop_replication_slot($1)', [slot]);
  await online.drop();
});

/** Reproducible; each writer has its own. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}

/** One writer changes its own rows only: no two wait for each other, and none fails. */
class Writer {
  private readonly next: (below: number) => number;
  private made = 0;
  transactions = 0;

  constructor(
    private readonly client: Client,
    private readonly number: number,
  ) {
    this.next = random(number * 7919);
  }

  async transaction(): Promise<void> {
    await this.client.query('BEGIN');
    for (let step = 0; step <= this.next(4); step += 1) await this.step();
    if (this.next(12) === 0) await pause(250);
    await this.end();
    this.transactions += 1;
  }

  private async step(): Promise<void> {
    if (this.next(4) > 0) return await this.change();
    await this.client.query('SAVEPOINT s');
    await this.change();
    await this.client.query('SAVEPOINT inner_one');
    await this.change();
    if (this.next(3) === 0) await this.client.query('ROLLBACK TO SAVEPOINT inner_one');
    await this.client.query(this.next(2) === 0 ? 'ROLLBACK TO SAVEPOINT s' : 'RELEASE SAVEPOINT s');
  }

  private async change(): Promise<void> {
    const table = quoteIdentifier(TABLES[this.next(TABLES.length)] ?? '');
    // its own rows: those of the beginning by their number, those it made by its range
    const mine = `(id % ${WRITERS} = ${this.number} AND id > 0)`;
    const some = `id IN (SELECT id FROM ${table} WHERE ${mine} ORDER BY hashint4(id + ${this.next(1e6)}) LIMIT 3)`;
    const fresh = () => {
      this.made += 1;
      return 1_000_000 + this.made * WRITERS * 10 + this.number;
    };
    const writer = `'${this.number}'`;
    const statements = [
      () => `INSERT INTO ${table} VALUES (${fresh()}, ${writer}, repeat('y', ${this.next(300)}))`,
      () => `UPDATE ${table} SET v = v || 'z', writer = ${writer} WHERE ${some}`,
      () => `UPDATE ${table} SET id = ${fresh()} WHERE id = (SELECT min(id) FROM ${table} WHERE ${some})`,
      () => `DELETE FROM ${table} WHERE ${some}`,
      // an id comes back
      () =>
        `WITH gone AS (SELECT min(id) AS id FROM ${table} WHERE ${some})
         INSERT INTO ${table} SELECT id, ${writer}, 'again' FROM gone WHERE id IS NOT NULL
         ON CONFLICT (id) DO UPDATE SET v = excluded.v`,
    ];
    await this.client.query(statements[this.next(statements.length)]?.() ?? '');
  }

  private async end(): Promise<void> {
    const gid = `${slot}_${this.number}_${this.transactions}`;
    const kind = this.next(8);
    if (kind === 0) await this.client.query('ROLLBACK');
    else if (kind <= 2) {
      await this.client.query(`PREPARE TRANSACTION '${gid}'`);
      await pause(this.next(100));
      await this.client.query(`${this.next(4) === 0 ? 'ROLLBACK' : 'COMMIT'} PREPARED '${gid}'`);
    } else await this.client.query('COMMIT');
  }
}

async function writeUntil(over: AbortSignal, number: number): Promise<number> {
  return await withSession(online.pair.majors.source, online.pair.databases.source, async (client) => {
    await client.query(`SET synchronous_commit = ${number % 2 === 0 ? 'on' : 'off'}`);
    const writer = new Writer(client, number);
    while (!over.aborted) await writer.transaction();
    return writer.transactions;
  });
}

async function hold(name: string): Promise<Keeper> {
  const keeper = online.keep(await online.table(name));
  await keeper.held;
  return keeper;
}

/** Others commit between two parts. */
async function copyParts({ table }: Keeper): Promise<void> {
  for (let part = 1; part <= table.parts; part += 1) {
    await online.copyPart(table, part);
    await pause(100);
  }
}

/** What the slot sends, and the LSN of each one's commit. */
async function changes(): Promise<{ change: Change; commitLsn: bigint }[]> {
  const [end] = await online.pair.sql<{ lsn: string }>('source', 'SELECT pg_current_wal_insert_lsn() AS lsn');
  await eventually('the asynchronous commits to be flushed', async () => {
    const flushed = await online.pair.sql('source', 'SELECT WHERE pg_current_wal_flush_lsn() >= $1', [
      end?.lsn,
    ]);
    return flushed.length === 1;
  });
  const rows = await online.pair.sql<{ data: Buffer }>(
    'source',
    `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'handoff')`,
    [slot],
  );
  const decoder = new PgoutputDecoder();
  let commitLsn = 0n;
  return rows.flatMap(({ data }) => {
    const event = decoder.decode(data);
    if (event?.kind === 'begin') commitLsn = event.commitLsn;
    const isChange = event?.kind === 'insert' || event?.kind === 'update' || event?.kind === 'delete';
    return isChange ? [{ change: event, commitLsn }] : [];
  });
}

/** Strictly: every change must find the one row that it is about. */
async function applyTo(target: Client, change: Change): Promise<void> {
  if (change.kind === 'truncate') throw new Error('nobody truncates here');
  const table = quoteIdentifier(change.relation.name);
  const text = (row: Tuple | undefined, index: number) => {
    const value = row?.value(index);
    return Buffer.isBuffer(value) ? value.toString() : null;
  };
  const id = (row: Tuple | undefined) => text(row, 0);
  if (change.kind === 'insert') {
    const values = [0, 1, 2].map((index) => text(change.row, index));
    await target.query(`INSERT INTO public.${table} VALUES ($1, $2, $3)`, values);
    return;
  }
  const { rowCount } =
    change.kind === 'delete'
      ? await target.query(`DELETE FROM public.${table} WHERE id = $1`, [id(change.old.row)])
      : await target.query(
          `UPDATE public.${table} SET id = $2, writer = $3, v = COALESCE($4, v) WHERE id = $1`,
          [id(change.old?.row ?? change.row), ...[0, 1, 2].map((index) => text(change.row, index))],
        );
  expect({ kind: change.kind, rowCount }).toEqual({ kind: change.kind, rowCount: 1 });
}

test.each([
  [15, 17],
  [11, 18],
] as const)(
  'copies of one scope each hold exactly the commits before their LSN, whatever writes meanwhile, %i to %i',
  async (source, target) => {
    await setUp(source, target);
    over = new AbortController();
    writers = Promise.all(Array.from({ length: WRITERS }, (_, number) => writeUntil(over.signal, number)));
    await pause(300);
    await online.plan();
    const { group } = await online.table(TABLES[2]);
    // one after the other: snapshots that wait for the same transaction may share an LSN
    const first = await hold(TABLES[0]);
    const copyingFirst = copyParts(first);
    const second = await hold(TABLES[1]);
    await Promise.all([copyingFirst, copyParts(second), online.copyGroup(group ?? 0)]);
    await pause(500);
    over.abort();
    const written = await writers;
    for (const keeper of [first, second]) keeper.controller.abort(new Error('copied'));
    expect(Math.min(...written)).toBeGreaterThan(0);

    const copyLsn = new Map(
      Object.entries(await online.ledger()).map(([name, { lsn }]) => [name, parseLsn(lsn ?? '')]),
    );
    const [pieces, distinct] = [(await online.table(TABLES[0])).parts, new Set(copyLsn.values()).size];
    expect([pieces > 2, distinct]).toEqual([true, 3]);
    let [dropped, applied] = [0, 0];
    const sent = await changes();
    await online.pair.session('target', async (client) => {
      for (const { change, commitLsn } of sent) {
        if (change.kind === 'truncate') continue;
        const from = copyLsn.get(change.relation.name);
        if (from === undefined)
          throw new Error(`no copy of ${change.relation.name} at ${formatLsn(commitLsn)}`);
        if (commitLsn < from) dropped += 1;
        else await applyTo(client, change).finally(() => (applied += 1));
      }
    });
    // both sides of each LSN were busy, or this would prove nothing
    expect(Math.min(dropped, applied)).toBeGreaterThan(20);
    await online.expectEqual(...TABLES.map((table) => `public.${quoteIdentifier(table)}`));
  },
);
