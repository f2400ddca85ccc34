import { setTimeout as pause } from 'node:timers/promises';
import type { ChangeStream, StreamEvent } from '../../../postgres/replicate/pgoutput';
import { eventually } from '../../support/eventually';
import type { Major } from '../../support/servers';
import { changesOf, readTransactions, readUntil, StreamSource } from './stream-fixture';

/** What the process holds in buffers, garbage included; a heap under jest says nothing. */
const buffered = () => process.memoryUsage().arrayBuffers;

describe.each<Major>([11, 17])('the flow out of a server of major %d', (major) => {
  let source: StreamSource;

  beforeEach(async () => {
    source = await StreamSource.create(major, 'CREATE TABLE t (i int PRIMARY KEY, t text)');
  });
  afterEach(() => source.drop());

  const beginOf = (events: StreamEvent[] | undefined) => {
    const begin = events?.at(0);
    if (begin?.kind !== 'begin') throw new Error('no begin');
    return begin;
  };
  const commitOf = (events: StreamEvent[] | undefined) => {
    const commit = events?.at(-1);
    if (commit?.kind !== 'commit') throw new Error('no commit');
    return commit;
  };

  const serverWaits = () =>
    source.session(async (client) => {
      const { rows } = await client.query<{ waits: boolean }>(
        `SELECT a.wait_event = 'WalSenderWriteData' AS waits
           FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid WHERE s.slot_name = $1`,
        [source.slot],
      );
      return rows[0]?.waits;
    });

  test('a transaction of 300,000 rows, slowly read: the server is held back, memory stays flat, nothing is missing', async () => {
    const before = buffered();
    const stream = await source.open();
    await source.sql(`INSERT INTO t SELECT i, repeat('x', 400) FROM generate_series(1, 300000) i`);
    await eventually('the server stands still', async () => {
      for (let look = 0; look < 5; look++) {
        if (!(await serverWaits())) return false;
        await pause(100);
      }
      return true;
    });
    let [inOrder, most, reads, positions, committed] = [0, 0, 0, 0, false];
    while (!committed) {
      for (const event of await stream.read(5_000)) {
        if (event.kind === 'insert' && Number(event.row.value(0)) === inOrder + 1) inOrder += 1;
        if (event.kind === 'position' && inOrder > 0 && !committed) positions += 1;
        committed ||= event.kind === 'commit' && inOrder > 0;
      }
      // what it answers within the transaction is none of the caller's business
      stream.askPosition();
      reads += 1;
      most = Math.max(most, buffered() - before);
      if (reads % 50 === 0) await pause(20);
    }
    expect(inOrder).toBe(300_000);
    expect(positions).toBe(0);
    expect(reads).toBeGreaterThan(50);
    expect(most).toBeLessThan(64 * 1024 ** 2);
  });

  test('nothing but what was confirmed is ever confirmed, and that within two seconds', async () => {
    const stream = await source.open({});
    const start = await source.confirmed();
    let allowed = start;
    let watching = true;
    const seen: bigint[] = [];
    const watch = (async () => {
      while (watching) {
        const confirmed = await source.confirmed();
        expect(confirmed).toBeLessThanOrEqual(allowed);
        seen.push(confirmed);
        await pause(20);
      }
    })();
    for (let i = 0; i < 5; i++) await source.sql(`INSERT INTO t VALUES (${i})`);
    const transactions = await readTransactions(stream, 5);
    stream.askPosition();
    await readUntil(stream, (events) => events.some(({ kind }) => kind === 'position'));
    await pause(1_500);
    expect(await source.confirmed()).toBe(start);
    const { endLsn } = commitOf(transactions[2]);
    allowed = endLsn;
    stream.confirm(endLsn);
    stream.confirm(start);
    await eventually('it is confirmed', async () => (await source.confirmed()) === endLsn, {
      timeout: 2_500,
    });
    stream.askPosition();
    await pause(1_100);
    watching = false;
    await watch;
    expect(seen.at(-1)).toBe(endLsn);

    allowed = commitOf(transactions[3]).endLsn;
    stream.confirm(allowed);
    await stream.close();
    expect(await source.confirmed()).toBe(allowed);
    const again = await source.open();
    expect(changesOf((await readTransactions(again, 1))[0])).toEqual(['insert t (4,NULL)']);
  });

  test('it begins where it is told to, behind what was confirmed', async () => {
    const stream = await source.open();
    for (let i = 0; i < 3; i++) await source.sql(`INSERT INTO t VALUES (${i})`);
    const transactions = await readTransactions(stream, 3);
    await stream.close();
    const again = await source.open({ from: commitOf(transactions[1]).endLsn });
    expect(changesOf((await readTransactions(again, 1))[0])).toEqual(['insert t (2,NULL)']);
    await again.close();
    // a position within the next transaction's commit record leaves it out as well: it begins before
    const { commitLsn } = beginOf(transactions[2]);
    const at = await source.open({ from: commitLsn });
    expect(changesOf((await readTransactions(at, 1))[0])).toEqual(['insert t (2,NULL)']);
  });

  test('a position is never behind the stream nor within a transaction, and no commit comes behind one', async () => {
    const stream = await source.open();
    const writers = [1, 2, 3].map((writer) =>
      source.session(async (client) => {
        for (let i = 0; i < 40; i++) {
          const first = writer * 100_000 + i * 100;
          await client.query(`INSERT INTO t SELECT i FROM generate_series(${first}, ${first + 50}) i`);
        }
      }),
    );
    let done = false;
    const asking = (async () => {
      while (!done) {
        stream.askPosition();
        await pause(1);
      }
    })();
    const isDone = (events: StreamEvent[]) =>
      events.filter(({ kind }) => kind === 'insert').length >= 3 * 40 * 51;
    const events = await readUntil(stream, (all) => isDone(all) && all.at(-1)?.kind === 'position');
    done = true;
    await Promise.all([...writers, asking]);
    let [reached, inside, positions] = [0n, false, 0];
    for (const event of events) {
      if (event.kind === 'begin') {
        expect(event.commitLsn).toBeGreaterThanOrEqual(reached);
        inside = true;
      }
      if (event.kind === 'commit') [inside, reached] = [false, event.endLsn];
      if (event.kind === 'position') {
        expect(inside).toBe(false);
        expect(event.lsn).toBeGreaterThanOrEqual(reached);
        reached = event.lsn;
        positions += 1;
      }
    }
    expect(positions).toBeGreaterThan(3);
  });
});

test('a character that UTF8 lacks is named, for nothing behind it can be read', async () => {
  const source = await StreamSource.create(
    17,
    'CREATE TABLE t (v text)',
    `ENCODING 'WIN1252' LC_COLLATE 'C' LC_CTYPE 'C'`,
  );
  try {
    const stream = await source.open();
    await source.sql(`INSERT INTO t VALUES (E'\\x81')`);
    const failure = readTransactions(stream, 1);
    await expect(failure).rejects.toMatchObject({
      code: 'DataRejected',
      fields: {
        sentence: expect.stringContaining('a character that UTF8 lacks') as string,
        remedy: expect.stringContaining('flexlift recopy') as string,
        sqlState: '22P05',
        side: 'source',
      },
    });
  } finally {
    await source.drop();
  }
});

test('a database in LATIN1 sends UTF-8: names, values, keys, messages', async () => {
  const source = await StreamSource.create(
    17,
    `CREATE TABLE "Straße" ("schlüssel" text PRIMARY KEY, "wert" text)`,
    `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
  );
  try {
    const stream: ChangeStream = await source.open();
    await source.sql(`INSERT INTO "Straße" VALUES ('größe', 'é'); UPDATE "Straße" SET "schlüssel" = 'maß';
      SELECT pg_logical_emit_message(true, 'prä', 'x')`);
    const [events] = await readTransactions(stream, 1);
    expect(changesOf(events)).toEqual([
      'insert Straße (größe,é)',
      'update Straße key (größe,NULL) -> (maß,é)',
      'message true prä x',
    ]);
    const insert = events?.[1];
    expect(insert?.kind === 'insert' && insert.relation.columns.map(({ name }) => name)).toEqual([
      'schlüssel',
      'wert',
    ]);
  } finally {
    await source.drop();
  }
});
