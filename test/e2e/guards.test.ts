import Long from 'long';
import { DEFAULT_LIMITS, type MigrationRequest, type MigrationStatus } from '../../contract';
import type { migration } from '../../workflows';
import { countSessionsOn } from '../support/active';
import { itInAll, TEST_ALL } from '../support/all';
import { useShopMigrations } from '../support/e2e';
import { eventually } from '../support/eventually';
import { testRequest } from '../support/migration';
import { testAddress, withSession, type Major } from '../support/servers';
import { SMALL_PARTS } from '../support/shop-like';

const SOURCE = 14;
const TARGET = 17;
const LIMITS = { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS, copiesAtOnce: 2 };

const shop = useShopMigrations(SOURCE, TARGET, 30_000);

function request(change: Partial<MigrationRequest> = {}): MigrationRequest {
  return testRequest(testAddress(SOURCE), testAddress(TARGET), {
    databases: [shop.database],
    limits: LIMITS,
    ...change,
  });
}

/** What `sql` takes on the target stops the migration there, until `work` is done. */
async function whileHeld(sql: string, work: () => Promise<unknown>): Promise<void> {
  await withSession(TARGET, shop.database, async (client) => {
    await client.query('BEGIN');
    await client.query(sql);
    await work();
    await client.query('ROLLBACK');
  });
}

async function tableExists(): Promise<boolean> {
  return await withSession(TARGET, 'postgres', async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [shop.database]);
    return rowCount === 1;
  }).then(
    async (exists) =>
      exists &&
      (await withSession(TARGET, shop.database, async (client) => {
        const { rows } = await client.query<{ found: boolean }>(
          `SELECT to_regclass('public.big') IS NOT NULL AS found`,
        );
        return rows[0]?.found === true;
      })),
  );
}

async function activity(migrationId: string, name: string): Promise<boolean> {
  return (await countSessionsOn(TARGET, `flexlift:${migrationId}:${name}:%`)) > 0;
}

/** How a migration ends that executes this on one of its sides behind its load, before it compares. */
async function endAfter(
  asked: MigrationRequest,
  { on, sql }: { on: Major; sql: string },
): Promise<MigrationStatus> {
  const handle = await shop.migrations.start(asked);
  shop.startWorker(asked.pool);
  await eventually('the table on the target', tableExists);
  const analyzed = `INSERT INTO flexlift.step (kind, key) VALUES ('analyze', '"public"."Small 1"')`;
  await whileHeld(analyzed, async () => {
    await eventually('ANALYZE', () => activity(asked.migrationId, 'analyze'));
    await withSession(on, shop.database, (client) => client.query(sql));
  });
  return await handle.result();
}

describe('late attempts', () => {
  itInAll('a worker that wakes up after the release cannot touch the target', async () => {
    const asked = request();
    const handle = await shop.migrations.start(asked);
    shop.startWorker(asked.pool, ['control', 'stream']);
    const sleeper = shop.startWorker(asked.pool, ['copy']);
    await eventually('the table on the target', tableExists);
    await whileHeld('LOCK TABLE public.big IN SHARE MODE', async () => {
      await eventually('a copy that waits', () => activity(asked.migrationId, 'copyPart'));
      sleeper.freeze();
      shop.startWorker(asked.pool, ['copy']);
    });
    const status = await handle.result();
    expect(status.state).toBe('Succeeded');
    await withSession(TARGET, shop.database, (client) =>
      client.query(`INSERT INTO big VALUES (-1, now(), 'live', 'row')`),
    );
    sleeper.thaw();
    await new Promise((resume) => setTimeout(resume, 3_000));
    const { rows } = await withSession(TARGET, shop.database, (client) =>
      client.query<{ n: string; live: string }>(
        `SELECT count(*) AS n, count(*) FILTER (WHERE id = -1) AS live FROM big`,
      ),
    );
    expect(rows[0]).toEqual({ n: '30001', live: '1' });
  });

  it.each(TEST_ALL ? [false, true] : [true])(
    'a workflow reset after the release is refused (overwrite: %s)',
    async (overwrite) => {
      const asked = request({ overwrite });
      const handle = await shop.migrations.start(asked);
      shop.startWorker(asked.pool);
      expect(await handle.result()).toMatchObject({ state: 'Succeeded' });
      await withSession(TARGET, shop.database, (client) =>
        client.query(`INSERT INTO big VALUES (-1, now(), 'live', 'row')`),
      );

      const { runId } = await handle.describe();
      await shop.migrations.client.workflowService.resetWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId: handle.workflowId, runId },
        reason: 'test',
        requestId: asked.migrationId,
        workflowTaskFinishEventId: Long.fromNumber(4),
      });
      const again = await shop.migrations.client.workflow
        .getHandle<typeof migration>(handle.workflowId)
        .result();
      expect(again.state).not.toBe('Succeeded');
      const { rows } = await withSession(TARGET, shop.database, (client) =>
        client.query<{ live: string }>('SELECT count(*) AS live FROM big WHERE id = -1'),
      );
      expect(rows[0]?.live).toBe('1');
    },
  );
});

describe('a second run', () => {
  itInAll.each([false, true])(
    'after a complete load ends equal with the source of today (overwrite: %s)',
    async (overwrite) => {
      const first = request();
      const ended = await endAfter(first, { on: TARGET, sql: 'DROP INDEX big_kind' });
      expect(ended).toMatchObject({ state: 'Failed', failure: { code: 'DifferenceFound' } });

      // meanwhile the application went on
      await withSession(SOURCE, shop.database, (client) =>
        client.query(`UPDATE big SET body = body || '!' WHERE id = 500`),
      );
      const second = request({ ...first, generation: 2, name: `${first.name}-again`, overwrite });
      const status = await (await shop.migrations.start(second)).result();
      if (overwrite) {
        expect(status).toMatchObject({ state: 'Succeeded', databases: [{ differences: [] }] });
      } else {
        // nothing is copied again, and what changed since is found and named
        expect(status.databases[0]?.differences).toContainEqual(
          expect.objectContaining({ object: '"public"."big"', keys: ['id = 500 (differs)'] }),
        );
      }
    },
  );
});

describe('a forgotten writer', () => {
  itInAll('on the source, after the snapshot, is found by the comparison', async () => {
    const status = await endAfter(request(), {
      on: SOURCE,
      sql: `UPDATE big SET body = body || '!' WHERE id = 501`,
    });
    expect(status).toMatchObject({ state: 'Failed', failure: { code: 'DifferenceFound' } });
    expect(status.databases[0]?.differences).toEqual([
      expect.objectContaining({ kind: 'checksum', object: '"public"."big"', keys: ['id = 501 (differs)'] }),
    ]);
  });
});

const LOST_ROW: [string, string, object[]] = [
  'a lost row',
  `DELETE FROM big WHERE id = 20000`,
  // the materialized view has as many rows as before
  [{ kind: 'rows', object: '"public"."big"' }],
];

describe('the comparison fails', () => {
  it.each([
    [
      'a changed value, a missing index, a changed function and a sequence behind',
      `UPDATE big SET body = 'x' WHERE id = 77;
       DROP INDEX big_kind;
       CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
       SELECT setval('numbers', 4710)`,
      [
        { kind: 'checksum', object: '"public"."big"' },
        { kind: 'catalog', object: expect.stringContaining('big_kind') as string },
        { kind: 'catalog', object: expect.stringContaining('touch') as string },
        { kind: 'sequence', object: '"public"."numbers"' },
      ],
    ],
    ...(TEST_ALL ? [LOST_ROW] : []),
  ])('on %s, and names it', async (_what, change, differences) => {
    const status = await endAfter(request(), { on: TARGET, sql: change });
    expect(status).toMatchObject({ state: 'Failed', failure: { code: 'DifferenceFound' } });
    const found = status.databases[0]?.differences;
    expect(found).toHaveLength(differences.length);
    for (const difference of differences) expect(found).toContainEqual(expect.objectContaining(difference));
  });

  itInAll('and names what it found even where something behind it fails', async () => {
    const status = await endAfter(request(), {
      on: TARGET,
      sql: `UPDATE big SET body = 'x' WHERE id = 77; DROP FUNCTION touch()`,
    });
    expect(status.databases[0]).toMatchObject({
      state: 'Failed',
      failure: { code: 'StatementRejected' },
      differences: [{ kind: 'checksum', object: '"public"."big"' }],
    });
  });
});
