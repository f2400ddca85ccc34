import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { parseLsn } from '../../postgres/replicate/lsn';
import { eventually } from '../support/eventually';
import { untilReplication, useOnlineMigrations, type Online } from '../support/online';
import { ConfirmedPositions } from '../support/outages';
import { run, withSession } from '../support/servers';
import type { WorkerProcess } from '../support/worker-process';

const SOURCE = 15;
const TARGET = 17;

const { shop, start } = useOnlineMigrations(SOURCE, TARGET, 1_000);

/** The second has no key: a row that comes twice stays twice. */
const TABLES = `
  DROP TABLE IF EXISTS keyed, keyless;
  CREATE TABLE keyed (n int PRIMARY KEY); CREATE TABLE keyless (n int);`;

/** Brings the applier to one point of a transaction's way, where it stays until it is killed. */
type Point = (n: number) => Promise<{ whenKilled: () => Promise<void> }>;

let holder: Client;
let migrationId: string;

const POINTS: Record<string, Point> = {
  'received, not written': async (n) => {
    await writeHeld(n, { locked: 'keyed, keyless', written: 0 });
    await nothingIsConfirmed();
    return { whenKilled: letGo };
  },
  'written, not committed': async (n) => {
    await writeHeld(n, { locked: 'keyless', written: 1 });
    await nothingIsConfirmed();
    return { whenKilled: letGo };
  },
  'committed, not confirmed': async (n) => {
    await writeHeld(n, { locked: 'keyless', written: 1 });
    // it has sent all, and will never read what it is told
    const { walsender } = await slot();
    process.kill(walsender, 'SIGSTOP');
    await letGo();
    await arrived(n);
    const [confirmed, ledger] = await positions();
    expect(confirmed).toBeLessThan(ledger);
    const whenKilled = async () => {
      await onSource('SELECT pg_terminate_backend($1)', [walsender]);
      process.kill(walsender, 'SIGCONT');
    };
    return { whenKilled };
  },
  confirmed: async (n) => {
    await write(n);
    await arrived(n);
    await eventually('the confirmation', async () => {
      const [confirmed, ledger] = await positions();
      return confirmed === ledger;
    });
    return { whenKilled: () => Promise.resolve() };
  },
};

async function onSource(sql: string, values: unknown[] = []): Promise<Record<string, string>[]> {
  return await withSession(SOURCE, shop.database, async (client) => {
    const { rows } = await client.query<Record<string, string>>(sql, values);
    return rows;
  });
}

async function write(n: number): Promise<void> {
  await run(
    SOURCE,
    shop.database,
    `BEGIN; INSERT INTO keyed VALUES (${n}); INSERT INTO keyless VALUES (${n}); COMMIT`,
  );
}

/** Of a row each in both tables; the applier comes as far as the locks let it. */
async function writeHeld(n: number, { locked, written }: { locked: string; written: number }): Promise<void> {
  await holder.query(`BEGIN; LOCK TABLE ${locked} IN ACCESS EXCLUSIVE MODE`);
  await write(n);
  await applierWaits(written);
}

async function letGo(): Promise<void> {
  await holder.query('COMMIT');
}

/** Until the applier has so many of the two tables in its hands and waits for another. */
async function applierWaits(written: number): Promise<void> {
  await eventually(`the applier to wait with ${written} tables written`, async () => {
    const { rows } = await holder.query<{ waits: boolean; written: number }>(
      `SELECT bool_or(NOT l.granted) AS waits,
              (count(*) FILTER (WHERE l.granted AND l.mode = 'RowExclusiveLock'))::int AS written
         FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.relation IN ('keyed'::regclass, 'keyless'::regclass) AND starts_with(a.application_name, $1)`,
      [`flexlift:${migrationId}:`],
    );
    return rows[0]?.waits === true && rows[0].written === written;
  });
}

async function arrived(n: number): Promise<void> {
  await eventually(
    `row ${n}`,
    async () => (await holder.query('SELECT FROM keyless WHERE n = $1', [n])).rowCount === 1,
    { interval: 5 },
  );
}

async function slot(): Promise<{ walsender: number; confirmed: bigint }> {
  const [row] = await onSource(
    `SELECT active_pid AS pid, confirmed_flush_lsn AS lsn FROM pg_replication_slots
      WHERE starts_with(slot_name, $1) AND NOT temporary`,
    [`flexlift_${migrationId}`],
  );
  return { walsender: Number(row?.['pid']), confirmed: parseLsn(row?.['lsn'] ?? '') };
}

/** The slot's and the ledger's. */
async function positions(): Promise<[bigint, bigint]> {
  const { confirmed } = await slot();
  const { rows } = await holder.query<{ lsn: string }>('SELECT lsn FROM flexlift.stream');
  return [confirmed, parseLsn(rows[0]?.lsn ?? '')];
}

/** For longer than a worker takes to tell the source what it may forget. */
async function nothingIsConfirmed(): Promise<void> {
  for (let look = 0; look < 25; look += 1) {
    const [confirmed, ledger] = await positions();
    expect(confirmed).toBeLessThanOrEqual(ledger);
    await pause(100);
  }
}

async function startQuiet(): Promise<{ online: Online; worker: WorkerProcess }> {
  await run(SOURCE, shop.database, TABLES);
  const online = await start();
  await online.writer.stop();
  const worker = shop.startWorker(online.request.pool);
  await untilReplication(online.handle, 'ReadyForCutover');
  return { online, worker };
}

it('a worker killed between received, written, committed and confirmed loses nothing and writes nothing twice', async () => {
  const { online, worker: first } = await startQuiet();
  ({ migrationId } = online.request);
  const confirmations = ConfirmedPositions.watch(online, { source: SOURCE, target: TARGET });
  await withSession(TARGET, shop.database, async (client) => {
    holder = client;
    let worker = first;
    let n = 0;
    for (const reach of Object.values(POINTS)) {
      n += 1;
      const { whenKilled } = await reach(n);
      await worker.kill();
      await whenKilled();
      worker = shop.startWorker(online.request.pool);
      n += 1;
      await write(n);
      await arrived(n);
    }
    const all = Array.from({ length: n }, (_, index) => ({ n: index + 1 }));
    for (const table of ['keyed', 'keyless']) {
      expect((await client.query(`SELECT n FROM ${table} ORDER BY n`)).rows).toEqual(all);
    }
  });
  await confirmations.expectDurable();
});
