import {
  ACCEPT_DRIFT_UPDATE,
  RECOPY_UPDATE,
  STATUS_QUERY,
  type DatabasesRequest,
  type MigrationStatus,
  type Phase,
  type RecopyRequest,
} from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  clearSource,
  cutOver,
  dropSlot,
  expectReleased,
  refusalOf,
  untilCutOver,
  untilLive,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { withSession, type Major } from '../support/servers';

const SOURCE = 15;
const TARGET = 18;
/** Above the ids that the writers use. */
const CONFLICTING_ID = 90_000_000;
/** The key of an advisory lock. */
const HELD = 4711;

const { shop, start, startReady } = useOnlineMigrations(SOURCE, TARGET);

async function recopy({ handle }: Online, request: RecopyRequest): Promise<void> {
  await handle.executeUpdate(RECOPY_UPDATE, { args: [request] });
}

async function untilPhase(handle: Online['handle'], phase: Phase): Promise<void> {
  const query = () => handle.query<MigrationStatus>(STATUS_QUERY).catch(() => undefined);
  await eventually(phase, async () => (await query())?.databases[0]?.phase === phase, {
    timeout: 60_000,
    interval: 20,
  });
}

async function isCopiedAnew(table: string): Promise<boolean> {
  return await withSession(TARGET, shop.database, async (client) => {
    const { rows } = await client.query<{ anew: boolean }>(
      `SELECT t.stream_state = 'applied' AND pg_catalog.min(p.copies) > 1 AS anew
         FROM flexlift.table_load t JOIN flexlift.part p USING (table_oid)
        WHERE t.table_name = $1 AND p.copied_at IS NOT NULL GROUP BY t.table_oid`,
      [table.replaceAll('"', '')],
    );
    return rows[0]?.anew === true;
  });
}

/** A row that is on the target already, put there by hand, comes from the source as well. */
async function insertConflict(table: string, row: string): Promise<void> {
  const sql = `INSERT INTO ${table} VALUES ${row}`;
  await withSession(TARGET, shop.database, (client) => client.query(sql));
  await withSession(SOURCE, shop.database, (client) => client.query(sql));
}

describe('a change that the target refuses', () => {
  it('stops its table alone, until that is copied anew while the application writes', async () => {
    const migration = await startReady();
    const { handle } = migration;
    await insertConflict('big', `(${CONFLICTING_ID}, now(), 'by hand', 'x')`);
    await insertConflict('"Small 3"', `(${CONFLICTING_ID}, NULL, 'by hand')`);
    const stopped = await untilLive(handle, 'two stopped tables', (live) => live.stoppedTables.length === 2);
    expect(stopped.stoppedTables.map(({ table }) => table)).toEqual(['"public"."Small 3"', '"public"."big"']);
    for (const { table, failure } of stopped.stoppedTables) {
      expect(failure).toMatchObject({ code: 'DataRejected', sqlState: '23505', object: table });
    }

    const { inserts, updates } = stopped.changes;
    await untilLive(handle, 'the others go on', ({ changes }) => changes.updates > updates + 50);
    const refused = await cutOver(handle);
    expect(refused.cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'CutoverRefused' } });
    expect(refused.cutover?.failure?.sentence).toMatch(/2 tables.*"Small 3".*"big"/);
    expect(refused.cutover?.fencedAt).toBeUndefined();

    const recopied = recopy(migration, { table: 'big' });
    const queued = recopy(migration, { table: 'public."Small 3"' });
    await recopied;
    expect((await cutOver(handle)).cutover?.failure?.sentence).toMatch(
      /to be copied anew: [12] are not done/,
    );
    await queued;
    const caughtUp = await untilLive(
      handle,
      'none is stopped',
      (live) => live.stoppedTables.length === 0 && live.changes.inserts > inserts,
    );
    expect(caughtUp.state).toBe('ReadyForCutover');
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});

describe('a table that cannot be copied anew', () => {
  itInAll('keeps no other from it, in its group or elsewhere', async () => {
    const migration = await startReady();
    const { handle } = migration;
    const onTarget = (sql: string) => withSession(TARGET, shop.database, (client) => client.query(sql));
    await onTarget('ALTER TABLE "Small 12" ADD CONSTRAINT strict CHECK (id < 0) NOT VALID');
    await recopy(migration, { table: '"Small 12"' });
    for (const table of ['"Small 11"', 'big']) {
      await recopy(migration, { table });
      await eventually(`${table} is copied anew`, () => isCopiedAnew(table), { timeout: 60_000 });
    }
    await onTarget('ALTER TABLE "Small 12" DROP CONSTRAINT strict');
    await recopy(migration, { table: '"Small 12"' });
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});

describe('a recopy while the source has a table under another name', () => {
  itInAll('is refused, of that table and of all, and empties nothing', async () => {
    const migration = await startReady();
    const { handle } = migration;
    const rename = (side: Major, from: string, to: string) =>
      withSession(side, shop.database, (client) => client.query(`ALTER TABLE ${from} RENAME TO ${to}`));
    await rename(SOURCE, '"Small 12"', 'elsewhere');
    for (const request of [{ table: '"Small 12"' }, {}]) {
      expect(await refusalOf(recopy(migration, request))).toMatch(/renamed to "public"."elsewhere"/);
    }
    await untilReplication(handle, 'ReadyForCutover');
    const { rowCount } = await withSession(TARGET, shop.database, (client) =>
      client.query('SELECT FROM "Small 12"'),
    );
    expect(rowCount).toBeGreaterThan(100);
    await rename(TARGET, '"Small 12"', 'elsewhere');
    await handle.executeUpdate<unknown, [DatabasesRequest]>(ACCEPT_DRIFT_UPDATE, { args: [{}] });
    await recopy(migration, { table: 'elsewhere' });
    await recopy(migration, {});
    await untilReplication(handle, 'CatchingUp');
    await untilReplication(handle, 'ReadyForCutover');
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
    await clearSource(SOURCE, shop.database);
    await rename(SOURCE, 'elsewhere', '"Small 12"');
  });
});

describe('a recopy of all tables', () => {
  itInAll('does not wait for those of single ones', async () => {
    const migration = await startReady();
    const { handle } = migration;
    await withSession(TARGET, shop.database, async (holder) => {
      await holder.query(`SELECT pg_advisory_lock(${HELD});
        CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF pg_catalog.current_setting('application_name') ~ 'copyPart' THEN
            PERFORM pg_catalog.pg_advisory_xact_lock_shared(${HELD});
          END IF;
          RETURN NEW; END $$;
        CREATE TRIGGER hold BEFORE INSERT ON big FOR EACH ROW EXECUTE PROCEDURE public.hold();
        ALTER TABLE big ENABLE ALWAYS TRIGGER hold`);
      await recopy(migration, { table: 'big' });
      const queued = recopy(migration, { table: '"Small 3"' });
      await recopy(migration, {});
      await queued;
      await untilPhase(handle, 'Load');
      await holder.query(`SELECT pg_advisory_unlock(${HELD})`);
      await untilReplication(handle, 'ReadyForCutover');
      await holder.query('DROP TRIGGER hold ON big; DROP FUNCTION public.hold()');
    });
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});

describe('a replication slot that somebody dropped', () => {
  itInAll('stops the replication at once, and all tables can be copied anew', async () => {
    const migration = await startReady();
    const { handle } = migration;
    await dropSlot(SOURCE, migration);
    const stopped = await untilLive(handle, 'SlotLost', ({ state }) => state === 'Stopped', 10_000);
    expect(stopped.failure).toMatchObject({ code: 'SlotLost' });
    await untilReplication(handle, 'Stopped');

    await recopy(migration, {});
    // of the failure nothing is said any more while the tables are copied
    await eventually('CatchingUp', async () => {
      const status = await handle.query<MigrationStatus>(STATUS_QUERY).catch(() => undefined);
      return status?.state === 'InProgress' && status.databases[0]?.replication?.state === 'CatchingUp';
    });
    await untilReplication(handle, 'ReadyForCutover');
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });

  itInAll('ends a load whose copies are worth nothing any more', async () => {
    const migration = await start();
    const { handle } = migration;
    shop.startWorker(migration.request.pool);
    await untilPhase(handle, 'Load');
    await withSession(TARGET, shop.database, async (client) => {
      // neither rows nor the key can come: the load would wait for as long as this does
      await client.query('BEGIN; LOCK TABLE big IN SHARE MODE');
      const watched = await untilLive(handle, 'the slot is watched', () => true);
      expect(watched).toMatchObject({ state: 'CatchingUp', retainedBytes: expect.any(Number) as number });
      await dropSlot(SOURCE, migration);
      expect(await untilReplication(handle, 'Stopped')).toMatchObject({
        replication: { failure: { code: 'SlotLost' } },
      });
      await client.query('ROLLBACK');
    });

    await recopy(migration, {});
    await untilReplication(handle, 'ReadyForCutover');
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});
