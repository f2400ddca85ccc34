import { setTimeout as pause } from 'node:timers/promises';
import { FlexliftError } from '../../../contract';
import { withExactSnapshot, type StreamEvent } from '../../../postgres/replicate/pgoutput';
import { eventually } from '../../support/eventually';
import { testEndpoint, type Major } from '../../support/servers';
import { readUntil, StreamSource } from './stream-fixture';

describe.each<Major>([11, 14, 18])('an exact snapshot of a server of major %d', (major) => {
  let source: StreamSource;

  beforeEach(async () => {
    source = await StreamSource.create(major, 'CREATE TABLE t (i int PRIMARY KEY)');
  });
  afterEach(() => source.drop());

  const snapshotArguments = (signal = new AbortController().signal) => ({
    endpoint: testEndpoint(major, 'source', 'flexlift:snapshot-test'),
    database: source.database,
    signal,
    slotName: `${source.slot}_tmp`,
  });
  const sessions = () =>
    source.session(async (client) => {
      const { rowCount } = await client.query(
        `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = 'flexlift:snapshot-test'`,
        [source.database],
      );
      return rowCount;
    });
  const readRows = (name: string) =>
    source.session(async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await client.query(`SET TRANSACTION SNAPSHOT '${name}'`);
      const { rows } = await client.query<{ i: number }>('SELECT i FROM t ORDER BY i');
      return rows.map(({ i }) => i);
    });

  /** "initial slot snapshot too large": too much was committed while it was made, and it is tried again. */
  const unlessContended = (error: unknown) => {
    if (!(error instanceof FlexliftError && error.code === 'Contention')) throw error;
  };

  test('it holds exactly the commits before its position, while others write', async () => {
    const stream = await source.open();
    let stop = false;
    let written = 0;
    const writers = [1, 2, 3].map((writer) =>
      source.session(async (client) => {
        for (let i = 0; !stop; i++) {
          await client.query(`BEGIN; INSERT INTO t VALUES (${writer * 1_000_000 + i}); SAVEPOINT s;
            INSERT INTO t VALUES (${-writer * 1_000_000 - i}); ${i % 2 === 0 ? 'ROLLBACK TO s;' : ''} COMMIT`);
          written += i % 2 === 0 ? 1 : 2;
        }
      }),
    );
    const snapshots: { lsn: bigint; rows: number[] }[] = [];
    try {
      while (snapshots.length < 4) {
        await pause(50);
        await withExactSnapshot(snapshotArguments(), async ({ name, lsn }) => {
          await pause(50);
          snapshots.push({ lsn, rows: await readRows(name) });
        }).catch(unlessContended);
      }
    } finally {
      stop = true;
      await Promise.all(writers);
    }
    const inserts = (events: StreamEvent[]) => events.filter(({ kind }) => kind === 'insert').length;
    const events = await readUntil(stream, (all) => inserts(all) >= written && all.at(-1)?.kind !== 'insert');
    const before = (lsn: bigint) => {
      let commitLsn = 0n;
      return events.flatMap((event) => {
        if (event.kind === 'begin') commitLsn = event.commitLsn;
        return event.kind === 'insert' && commitLsn < lsn ? [Number(event.row.value(0))] : [];
      });
    };
    for (const { lsn, rows } of snapshots) expect(before(lsn).sort((a, b) => a - b)).toEqual(rows);
    const sizes = snapshots.map(({ rows }) => rows.length);
    expect(new Set([0, ...sizes, written]).size).toBe(6);
  });

  test('the slot and the session go with the work, also where it fails', async () => {
    const failing = withExactSnapshot(snapshotArguments(), ({ name }) => {
      expect(name).not.toBe('');
      return Promise.reject(new Error('of the work'));
    });
    await expect(failing).rejects.toThrow('of the work');
    await eventually('no session', async () => (await sessions()) === 0);
    const lsn = await withExactSnapshot(snapshotArguments(), ({ lsn }) => Promise.resolve(lsn));
    expect(lsn).toBeGreaterThan(0n);
  });

  test('the signal ends the wait for a transaction that writes', async () => {
    await source.session(async (writer) => {
      await writer.query('BEGIN; INSERT INTO t VALUES (1)');
      const controller = new AbortController();
      const waiting = withExactSnapshot(snapshotArguments(controller.signal), () => Promise.resolve('made'));
      const early = await Promise.race([waiting, pause(500, 'waits')]);
      expect(early).toBe('waits');
      const aborted = Date.now();
      controller.abort(new Error('called off'));
      await expect(waiting).rejects.toThrow('called off');
      expect(Date.now() - aborted).toBeLessThan(3_000);
      await eventually('no session is left', async () => (await sessions()) === 0, { timeout: 5_000 });
      await writer.query('ROLLBACK');
    });
  });

  test('a name that is still held is contention', async () => {
    await withExactSnapshot(snapshotArguments(), async () => {
      const second = withExactSnapshot(snapshotArguments(), () => Promise.resolve());
      await expect(second).rejects.toMatchObject({ code: 'Contention' } satisfies Partial<FlexliftError>);
    });
  });
});
