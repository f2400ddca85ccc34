import { randomBytes } from 'node:crypto';
import {
  migrationWorkflowId,
  STATUS_QUERY,
  type MigrationStatus,
  type ReplicationStatus,
} from '../../contract';
import type { MigrationSnapshot } from '../../client';
import { itInAll } from '../support/all';
import { useShopMigrations } from '../support/e2e';
import { eventually } from '../support/eventually';
import { clearSource, leftOnSource } from '../support/online';
import { testAddress, withSession } from '../support/servers';
import { TcpProxy } from '../support/tcp-proxy';
import { Terminal, uriOf } from '../support/terminal';
import { Writers } from '../support/writers';

const SOURCE = 15;
const TARGET = 17;

const shop = useShopMigrations(SOURCE, TARGET, 5_000);
let terminal: Terminal;
let writers: Writers;

/** Goes on after an earlier test's writers as well, and changes rows each time. */
function write(session: number, turn: number): string {
  return `UPDATE big SET kind = 'kind ${turn}' WHERE id = ${1 + ((turn * 31 + session * 7919) % 5_000)}`;
}

beforeEach(async () => {
  terminal = await Terminal.open(`test-${randomBytes(6).toString('hex')}`);
  terminal.startWorker();
  writers = Writers.start(SOURCE, shop.database, { transaction: write });
});
afterEach(async () => {
  await Promise.all([terminal.close(), writers.stop()]);
  await clearSource(SOURCE, shop.database);
});

/** Until it is ready for the cutover. Gives its name. */
async function migrate(source = testAddress(SOURCE)): Promise<string> {
  const name = terminal.pool;
  const { code, stdout, stderr } = await terminal.run(
    ...['migrate', '--mode', 'online', '--name', name, '--pool', terminal.pool],
    ...['--database', shop.database, '--source', uriOf(source), '--target', uriOf(testAddress(TARGET))],
  );
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toBe(`Ready for cutover. Next: flexlift cutover ${name}\n`);
  return name;
}

async function show(name: string): Promise<MigrationSnapshot & { status: MigrationStatus }> {
  return await terminal.json('show', name);
}

/** Asked for again and again: a command costs a second of a processor. */
async function statusOf(name: string): Promise<MigrationStatus> {
  const workflowId = migrationWorkflowId(testAddress(TARGET), name);
  return await shop.migrations.client.workflow.getHandle(workflowId).query<MigrationStatus>(STATUS_QUERY);
}

/** Runs `work` while a cutover stands behind the fence: it cannot refresh a materialized view of the target. */
async function behindFence(name: string, work: () => Promise<void>): Promise<void> {
  await withSession(TARGET, shop.database, async (client) => {
    await client.query('BEGIN; COMMENT ON MATERIALIZED VIEW kinds IS NULL');
    const cutover = terminal.run('cutover', name, '--wait', '--yes');
    await eventually('the cutover waits behind the fence', async () => {
      const [database] = (await statusOf(name)).databases;
      return database?.phase === 'MaterializedViews' && database.cutover?.state === 'Running';
    });
    await work();
    const { code, stdout } = await cutover;
    expect(code).toBe(1);
    expect(stdout).toMatch(/Cutover 1: called off, the application could not write for .*Fence .*Drain /);
  });
}

async function detailsOf(workflowId: string): Promise<string> {
  const handle = shop.migrations.client.workflow.getHandle(workflowId);
  const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
  return currentDetails;
}

/** What each wrong call ends with; nothing is changed by it. */
async function expectRefused(calls: [args: string[], code: number, says: RegExp][]): Promise<void> {
  const results = await Promise.all(
    calls.map(async ([args]) => ({ args, ...(await terminal.run(...args)) })),
  );
  results.forEach((result, index) => {
    const [args, code, says] = calls[index] ?? [];
    expect(result).toMatchObject({ args, code, stderr: expect.stringMatching(says ?? '') as string });
  });
}

describe('at the terminal, an online migration', () => {
  it('is shown, measured, refuses what is wrong, and is paused and resumed', async () => {
    const name = await migrate();
    const shown = await show(name);
    expect(shown).toMatchObject({ version: 1, running: true, name, status: { version: 1, mode: 'Online' } });
    const { migrationId } = shown.status;
    const [database] = shown.status.databases;
    // other tests' transactions on the server may keep from proving
    const { proofsPostponed, ...figures } = database?.replication ?? {};
    expect(figures).toEqual({
      ...{
        state: 'ReadyForCutover',
        at: expect.any(String) as string,
        lsn: expect.stringMatching(/^[\dA-F]+\/[\dA-F]+$/) as string,
      },
      ...{ lagBytes: expect.any(Number) as number, lagSeconds: expect.any(Number) as number },
      changes: Object.fromEntries(
        ['transactions', 'inserts', 'updates', 'deletes', 'truncates'].map((kind) => [
          kind,
          expect.any(Number),
        ]),
      ) as unknown,
      ...{ changesPerSecond: expect.any(Number) as number, retainedBytes: expect.any(Number) as number },
      ...{
        stoppedTables: [],
        drift: [],
        proven: { tables: expect.any(Number) as number, total: 13 },
        waitingForeignKeys: 0,
      },
    } satisfies Record<
      keyof Omit<ReplicationStatus, 'failure' | 'proofsPostponed' | 'retainedLimitBytes' | 'secondsToLimit'>,
      unknown
    >);
    expect(database?.sourceObjects).toContainEqual(expect.stringMatching(`^slot flexlift_${migrationId}_`));

    expect(await detailsOf(shown.workflowId)).toMatch(/\| Replicate \|.* ReadyForCutover, .* behind at 20/);
    const details = await detailsOf(`${shown.workflowId}/db/${shop.database}`);
    for (const row of ['lag', 'WAL kept on the source', 'its limit', 'changes per second', 'tables proven']) {
      expect(details).toMatch(`\n| ${row} | `);
    }
    const tags = `database="${shop.database}".*migration="${name}".*target="127.0.0.1:${testAddress(TARGET).port}"`;
    const samples = await eventually('changes are counted', async () => {
      const now = await terminal.scrape();
      return now.some((line) => /_changes\{.*kind="update".*\} [1-9]/.test(line)) && now.join('\n');
    });
    for (const metric of [
      ...['lag_bytes', 'lag_seconds', 'retained_bytes', 'changes_per_second', 'transactions'],
      ...['proven_tables', 'tables', 'stopped_tables', 'drift'],
    ]) {
      expect(samples).toMatch(new RegExp(`^flexlift_replication_${metric}\\{.*${tags}.*\\} \\d`, 'm'));
    }
    for (const limit of ['bytes', 'seconds']) {
      expect(samples).toMatch(new RegExp(`^flexlift_replication_retained_limit_${limit}\\{.*\\} inf$`, 'm'));
    }

    await expectRefused([
      [['cutover', name], 2, /Add --yes/],
      [['cutover', name, '--yes', '--database', 'nodb'], 2, /no database "nodb". It has /],
      [['cutover', name, '--abort'], 1, /No cutover of .* is under way/],
      [['recopy', name, '--table', 'nosuch'], 2, /no table/],
      [['cleanup', name], 2, /still runs/],
      [
        ['cleanup', '--source', uriOf(testAddress(SOURCE)), '--database', shop.database, '--yes'],
        2,
        /is at work/,
      ],
    ]);

    // longer than a segment it may not take
    expect((await terminal.run('pause', name)).stdout).toMatch(/: paused, /);
    await expectRefused([[['cutover', name, '--yes'], 1, /it is Paused\. .*flexlift resume/]]);
    expect((await terminal.run('resume', name)).stdout).toMatch(/: (catching up|ready for cutover), /);
  });

  it('is called off in its cutover, which a second call has joined, cut over again and unfenced', async () => {
    const name = await migrate();
    const shown = await show(name);
    const { migrationId } = shown.status;
    const [database] = shown.status.databases;
    const sinceShown = writers.committed;
    await eventually('the application writes', () => Promise.resolve(writers.committed > sinceShown + 10));
    await behindFence(name, async () => {
      const second = terminal.run('cutover', name, '--wait', '--yes');
      await eventually('the second call has joined', async () => {
        const handle = shop.migrations.client.workflow.getHandle(shown.workflowId);
        const { events } = await handle.fetchHistory();
        return (
          (events ?? []).filter(
            (event) =>
              event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.name ===
              'cutover',
          ).length === 2
        );
      });
      const before = writers.committed;
      const abort = await terminal.run('cutover', name, '--abort');
      expect(abort).toMatchObject({
        code: 0,
        stdout: expect.stringMatching('called off by request') as string,
      });
      expect((await second).code).toBe(1);
      await eventually('the application writes', () => Promise.resolve(writers.committed > before));
    });

    const report = await terminal.json<{ status: MigrationStatus }>(
      'cutover',
      name,
      '--wait',
      '--yes',
      '--fence',
      'revoke-connect',
    );
    const [released] = report.status.databases;
    expect(report.status.state).toBe('Succeeded');
    expect(released?.cutover).toMatchObject({
      attempt: 2,
      state: 'Released',
      fence: 'revoke-connect',
      fencedSeconds: expect.any(Number) as number,
    });
    expect(Object.keys(released?.cutover?.seconds ?? {}).sort()).toEqual([
      ...['Compare', 'CompareCatalog', 'Drain', 'Fence', 'LastLook', 'LateRows', 'MaterializedViews'],
      ...['PostData', 'PrepareCutover', 'Prove', 'Release', 'Sequences'],
    ]);
    // the last figures, not those of when it was ready first
    const firstSeen = database?.replication?.changes.transactions ?? Infinity;
    expect(released?.replication?.changes.transactions).toBeGreaterThan(firstSeen);
    expect(await leftOnSource(SOURCE, shop.database, migrationId)).toEqual([
      `publication flexlift_${migrationId}_fence`,
      'setting default_transaction_read_only=on',
    ]);
    await expectRefused([[['unfence', name, '--database', 'nodb'], 2, /no database "nodb"/]]);
    expect(await terminal.run('unfence', name)).toMatchObject({
      code: 0,
      stdout: `fence of ${shop.database}\n`,
    });
    expect(await terminal.json('cleanup', name)).toEqual({ version: 1, removed: [] });
    expect(await leftOnSource(SOURCE, shop.database, migrationId)).toEqual([]);
  });

  itInAll(
    'that is canceled while its source is away is cleaned up by its name, or by the source alone',
    async () => {
      const proxy = await TcpProxy.start(testAddress(SOURCE));
      try {
        const name = await migrate({ ...testAddress(SOURCE), port: proxy.port });
        proxy.cut();
        const canceled = await terminal.run('cancel', name);
        expect(canceled).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(`flexlift cleanup ${name}`) as string,
        });
        const { status } = await show(name);
        expect(status).toMatchObject({ state: 'NeedsCleanup', failure: { code: 'CleanUpNeeded' } });
        expect(status.databases[0]?.cleanUpSql).toMatch('pg_drop_replication_slot');
        expect((await terminal.run('show', name)).stdout).toMatch('\nDROP PUBLICATION IF EXISTS ');
        const { migrationId } = status;
        const left = () => leftOnSource(SOURCE, shop.database, migrationId);

        const cleanup = ['cleanup', '--source', uriOf(testAddress(SOURCE)), '--database', shop.database];
        await expectRefused([
          [['cleanup', name, '--source', uriOf(testAddress(SOURCE))], 2, /not both/],
          [['cleanup', '--source', 'postgres://postgres@127.0.0.1:x/'], 2, /source/],
          [
            ['cleanup', '--source', uriOf(testAddress(SOURCE)), '--database', 'nodb'],
            2,
            /no database "nodb"/,
          ],
          [cleanup, 2, /Add --yes/],
        ]);
        await withSession(SOURCE, 'postgres', async (client) => {
          await client.query(`SET application_name = 'flexlift:${migrationId}:test:0:1'`);
          await expectRefused([
            [[...cleanup, '--yes'], 2, /is at work: process \d+ works in database "postgres"/],
          ]);
        });
        expect(await left()).toHaveLength(3);
        await eventually(
          'the session has ended',
          async () => (await terminal.run(...cleanup, '--yes')).code === 0,
        );
        expect(await left()).toEqual([]);
        expect(await terminal.json(...cleanup)).toEqual({ version: 1, objects: [], removed: [] });

        proxy.reopen();
        expect(await terminal.run('cleanup', name)).toMatchObject({
          code: 0,
          stdout: '',
          stderr: 'Nothing was there.\n',
        });
        const cleaned = (await show(name)).status;
        expect(cleaned.state).toBe('Canceled');
        expect(cleaned.failure).toBeUndefined();
        expect(cleaned.databases).toMatchObject([{ state: 'Canceled' }]);
        expect((await terminal.run('show', name)).stdout).not.toMatch('flexlift cleanup');
        const { migrations } = await terminal.json<{
          migrations: { name: string; state: string }[];
        }>('list');
        expect(migrations.find((each) => each.name === name)?.state).toBe('Canceled');
      } finally {
        await proxy.close();
      }
    },
  );
});
