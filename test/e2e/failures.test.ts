import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { runCli, type CliResult } from '../support/cli';
import {
  createTestDatabase,
  dropTestDatabase,
  testAddress,
  withSession,
  type Major,
} from '../support/servers';
import { testTemporalAddress } from '../support/temporal';
import { WorkerProcess } from '../support/worker-process';

/** What stands in the way is one sentence with its remedy and an exit code, and nothing was changed. */
const SOURCE = 14;
const TARGET = 17;

let directory: string;
let worker: WorkerProcess;
let database: string;
const pool = `failures-${randomBytes(4).toString('hex')}`;
const guest = `guest_${randomBytes(4).toString('hex')}`;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'flexlift-failures-'));
  worker = WorkerProcess.start({ pool });
  database = await createTestDatabase(SOURCE, 'failures');
  await withSession(SOURCE, database, (client) =>
    client.query(`
      CREATE TABLE open (id int PRIMARY KEY); INSERT INTO open VALUES (1);
      CREATE TABLE closed (id int PRIMARY KEY);
      CREATE TABLE guarded (id int PRIMARY KEY); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
      CREATE ROLE ${guest} LOGIN; GRANT SELECT ON open, guarded TO ${guest}`),
  );
});
afterAll(async () => {
  await worker.kill();
  await dropTestDatabase(SOURCE, database);
  await withSession(SOURCE, 'postgres', (client) => client.query(`DROP ROLE IF EXISTS ${guest}`));
  rmSync(directory, { recursive: true, force: true });
});

function uri(major: Major, user = 'postgres'): string {
  const { host, port } = testAddress(major);
  return `postgres://${user}@${host}:${port}/postgres?sslmode=disable`;
}

async function migrate(change: {
  source?: string;
  target?: string;
  args?: string[];
  environment?: Record<string, string>;
}) {
  const args = [
    'migrate',
    '--source',
    change.source ?? uri(SOURCE),
    '--target',
    change.target ?? uri(TARGET),
  ];
  return await runCli(
    [...args, '--pool', pool, '--timeout', 'validation=2s', ...(change.args ?? ['--database', database])],
    {
      TEMPORAL_ADDRESS: testTemporalAddress(),
      TEMPORAL_NAMESPACE: 'default',
      FLEXLIFT_STATE_DIR: directory,
      ...change.environment,
    },
  );
}

async function expectRefused(result: CliResult, code: number, ...texts: (string | RegExp)[]): Promise<void> {
  const output = result.stdout + result.stderr;
  for (const text of texts) expect(output).toMatch(text);
  expect(result.code).toBe(code);
  const { rowCount } = await withSession(TARGET, 'postgres', (client) =>
    client.query('SELECT FROM pg_database WHERE datname = $1', [database]),
  );
  expect(rowCount).toBe(0);
}

it('an unreachable host', async () => {
  const result = await migrate({ source: 'postgres://postgres@127.0.0.1:1/postgres' });
  await expectRefused(result, 3, 'source-reachable', '127.0.0.1:1', /firewall/);
});

it('a user that does not exist', async () => {
  const result = await migrate({ target: uri(TARGET, 'nobody_here') });
  await expectRefused(result, 3, 'target-reachable', /nobody_here/, /Check user/);
});

it('a database that does not exist', async () => {
  const result = await migrate({ args: ['--database', 'no such "database"'] });
  await expectRefused(result, 3, 'databases-exist', /no such/);
});

it('a right that is missing on one table, and row level security that would hide rows', async () => {
  const result = await migrate({ source: uri(SOURCE, guest) });
  await expectRefused(result, 3, 'source-rights', /closed/, /GRANT/, 'row-level-security', /guarded/);
});

it('a pg_dump that is older than the source', async () => {
  const newest = execFileSync('pg_dump', ['--version']).toString();
  if (/ (1[7-9]|[2-9]\d)\./.test(newest)) return;
  const result = await migrate({ source: uri(17), target: uri(18), args: ['--database', 'postgres'] });
  await expectRefused(result, 3, 'client-tools', /17/, /install/i);
});

it('a target that is not empty stays as it is', async () => {
  await withSession(TARGET, 'postgres', (client) => client.query(`CREATE DATABASE ${database}`));
  try {
    await withSession(TARGET, database, (client) => client.query('CREATE TABLE theirs (n int)'));
    const result = await migrate({});
    expect(result.stdout + result.stderr).toMatch(/target-empty[\s\S]*--overwrite/);
    expect(result.code).toBe(3);
    const { rows } = await withSession(TARGET, database, (client) =>
      client.query<{ relname: string }>(
        `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
      ),
    );
    expect(rows).toEqual([{ relname: 'theirs' }]);
  } finally {
    await dropTestDatabase(TARGET, database);
  }
});

it('no worker that polls', async () => {
  const result = await migrate({ args: ['--database', database, '--pool', `${pool}-nobody`] });
  await expectRefused(result, 5, /worker/, new RegExp(`${pool}-nobody`));
});

it('no Temporal server', async () => {
  const result = await migrate({ environment: { TEMPORAL_ADDRESS: '127.0.0.1:1' } });
  await expectRefused(result, 5, /Temporal/, '127.0.0.1:1');
});

it('a worker without a Temporal server', async () => {
  const { code, stderr } = await runCli(['worker'], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
  expect(stderr).toMatch(/Temporal at 127\.0\.0\.1:1 cannot be reached: Connection refused\./);
  expect(code).toBe(5);
});

it.each([
  [['--copies', 'many'], /--copies/],
  [['--part-size', '-3'], /--part-size/],
  [['--no-such-flag'], /no-such-flag/],
  [['--source', 'mysql://x@y/'], /--source/],
])('bad input %j names the flag', async (args, text) => {
  await expectRefused(await migrate({ args }), 2, text);
});
