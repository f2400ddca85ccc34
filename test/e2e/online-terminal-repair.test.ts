import { randomBytes } from 'node:crypto';
import type { MigrationSnapshot } from '../../client';
import type { DatabaseStatus } from '../../contract';
import { itInAll } from '../support/all';
import { useShopMigrations } from '../support/e2e';
import { eventually } from '../support/eventually';
import { clearSource, contentOf } from '../support/online';
import { run, testAddress } from '../support/servers';
import { Terminal, uriOf } from '../support/terminal';

const SOURCE = 15;
const TARGET = 17;

const shop = useShopMigrations(SOURCE, TARGET, 5_000);
let terminal: Terminal;

beforeEach(async () => {
  terminal = await Terminal.open(`test-${randomBytes(6).toString('hex')}`);
  terminal.startWorker();
});
afterEach(async () => {
  await terminal.close();
  await clearSource(SOURCE, shop.database);
});

async function untilDatabase(what: string, probe: (database: DatabaseStatus) => boolean): Promise<void> {
  await eventually(
    what,
    async () => {
      const { status } = await terminal.json<MigrationSnapshot>('show', terminal.pool);
      const [database] = status?.databases ?? [];
      return database !== undefined && probe(database);
    },
    { timeout: 120_000 },
  );
}

const addColumn = (major: typeof SOURCE | typeof TARGET, column: string) =>
  run(major, shop.database, `ALTER TABLE "Small 7" ADD COLUMN ${column} int`);

itInAll('at the terminal, a changed schema and a table that stopped are mended, and cut over', async () => {
  const name = terminal.pool;
  const created = await terminal.run(
    ...['create', '--mode', 'online', '--name', name, '--pool', name, '--database', shop.database],
    ...['--source', uriOf(testAddress(SOURCE)), '--target', uriOf(testAddress(TARGET))],
  );
  expect(created).toMatchObject({ code: 0 });
  await untilDatabase('ready', ({ replication }) => replication?.state === 'ReadyForCutover');

  await addColumn(SOURCE, 'extra');
  await run(SOURCE, shop.database, 'UPDATE "Small 7" SET extra = 1');
  await untilDatabase('a table that stopped', ({ replication }) => replication?.stoppedTables.length === 1);
  expect(await terminal.run('resume', name, '--accept-drift')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/same change on the target/) as string,
  });
  await addColumn(TARGET, 'extra');
  expect(await terminal.run('resume', name, '--accept-drift')).toMatchObject({ code: 0 });
  expect(await terminal.run('recopy', name, '--table', '"Small 7"')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/new copy of table .*Small 7.* has begun/) as string,
  });
  await untilDatabase('none that stopped', ({ replication }) => replication?.stoppedTables.length === 0);

  await addColumn(SOURCE, 'more');
  await addColumn(TARGET, 'more');
  await untilDatabase('a drift', ({ replication }) => (replication?.drift.length ?? 0) > 0);
  expect(await terminal.run('cutover', name, '--wait', '--yes')).toMatchObject({ code: 1 });
  expect(await terminal.run('cutover', name, '--wait', '--yes', '--accept-drift')).toMatchObject({ code: 0 });
  expect(await contentOf(TARGET, shop.database)).toEqual(await contentOf(SOURCE, shop.database));
});
