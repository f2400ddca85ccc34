import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { quoteIdentifier } from '../../../postgres/connect';
import { withSession, type Major } from '../../support/servers';
import { OnlinePair, type Keeper } from './online-fixture';
import { SentChanges } from './sent-changes';

const WRITERS = 5;
const TABLES = ['large "a🐘', 'large.b', "small 'a", 'small b'] as const;

let online: OnlinePair;
let sent: SentChanges;
let over: AbortController;
let writers: Promise<number[]>;

async function setUp(source: Major, target: Major): Promise<void> {
  online = await OnlinePair.create(source, target);
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
  sent = await SentChanges.since(online);
}

afterEach(async () => {
  over.abort();
  await writers;
  await sent.drop();
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
    const gid = `${online.pair.databases.source}_${this.number}_${this.transactions}`;
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

    const lsns = new Set(Object.values(await online.ledger()).map(({ lsn }) => lsn));
    const pieces = (await online.table(TABLES[0])).parts;
    expect([pieces > 2, lsns.size]).toEqual([true, 3]);
    const { applied, dropped } = await sent.apply();
    // both sides of each LSN were busy, or this would prove nothing
    expect(Math.min(dropped, applied)).toBeGreaterThan(20);
    await online.expectEqual(...TABLES.map((table) => `public.${quoteIdentifier(table)}`));
  },
);
