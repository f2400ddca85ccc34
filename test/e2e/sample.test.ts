import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DEFAULT_LIMITS } from '../../contract';
import { createSampleRoles, loadSample } from '../../embedded/sample';
import { TEST_ALL } from '../support/all';
import { Migrations, testRequest } from '../support/migration';
import { replay } from '../support/replay';
import {
  createTestDatabase,
  dropTestDatabase,
  testAddress,
  withSession,
  type Major,
} from '../support/servers';
import { WorkerProcess } from '../support/worker-process';

const run = promisify(execFile);

let migrations: Migrations;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  migrations = await Migrations.connect();
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.kill()));
});
afterAll(() => migrations.close());

interface Trace {
  what: string;
  name: string;
}

/** All that a migration could leave behind on a source. */
async function traces(major: Major, databases: string[]): Promise<Trace[]> {
  // other tests work on this server at the same time
  const onServer = await withSession(major, 'postgres', (client) =>
    client.query<Trace>(
      `SELECT 'session' AS what, application_name AS name FROM pg_stat_activity
        WHERE application_name LIKE 'flexlift:%' AND datname = ANY ($1)
       UNION ALL SELECT 'slot', slot_name FROM pg_replication_slots WHERE database = ANY ($1)
       UNION ALL SELECT 'prepared', gid FROM pg_prepared_xacts WHERE database = ANY ($1)`,
      [databases],
    ),
  );
  const inDatabases = await Promise.all(
    databases.map((database) =>
      withSession(major, database, (client) =>
        client.query<Trace>(`
          SELECT 'schema' AS what, nspname AS name FROM pg_namespace WHERE nspname LIKE 'flexlift%'
          UNION ALL SELECT 'publication', pubname FROM pg_publication WHERE pubname LIKE 'flexlift%'
          UNION ALL SELECT 'setting', array_to_string(setconfig, ' ') FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`),
      ),
    ),
  );
  return [...onServer.rows, ...inDatabases.flatMap(({ rows }) => rows)];
}

function url(major: Major, database: string): string {
  const { host, port, user } = testAddress(major);
  return `postgres://${user}@${host}:${port}/${encodeURIComponent(database)}`;
}

async function schemaByPgDump(major: Major, database: string): Promise<string> {
  const options = ['--schema-only', '--exclude-schema=flexlift', url(major, database)];
  // the settings of the database would show in constants; extensions comment themselves; rule public-schema
  const env = { ...process.env, PGTZ: 'UTC', PGOPTIONS: '-c extra_float_digits=3 -c intervalstyle=postgres' };
  const { stdout } = await run('pg_dump', options, { maxBuffer: 2 ** 26, env });
  return stdout.replaceAll(
    /^(--.*|\\(un)?restrict .*|COMMENT ON EXTENSION .*|ALTER SCHEMA public OWNER .*|)\n/gm,
    '',
  );
}

/** What the schema looks like on the target when PostgreSQL's own tools bring it there. */
async function schemaByRestore(source: Major, target: Major, database: string): Promise<string> {
  const encoding = database === 'archive_latin1' ? 'LATIN1' : 'UTF8';
  const reference = await createTestDatabase(
    target,
    'reference',
    `ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
  );
  try {
    await run('bash', [
      '-c',
      'pg_dump --schema-only "$1" | psql -qX "$2"',
      '-',
      url(source, database),
      url(target, reference),
    ]);
    return await schemaByPgDump(target, reference);
  } finally {
    await dropTestDatabase(target, reference);
  }
}

const PAIRS: [Major, Major][] = [[11, 15], [15, 18], ...(TEST_ALL ? [[14, 17] as [Major, Major]] : [])];

describe.each(PAIRS)('the sample, %i → %i', (source, target) => {
  let databases: string[] = [];

  beforeAll(async () => {
    const { host, port, user } = testAddress(source);
    const loaded = await loadSample({ address: { host, port, user }, megabytes: 8, replace: true });
    databases = loaded.databases;
    for (const database of databases) await dropTestDatabase(target, database);
    const { host: targetHost, port: targetPort } = testAddress(target);
    await createSampleRoles({ address: { host: targetHost, port: targetPort, user } });
  });
  afterAll(async () => {
    for (const database of databases) {
      await dropTestDatabase(source, database);
      await dropTestDatabase(target, database);
    }
  });

  it('arrives equal and leaves no trace on the source', async () => {
    const before = await traces(source, databases);
    const request = testRequest(testAddress(source), testAddress(target), {
      databases,
      limits: { ...DEFAULT_LIMITS, partBytes: 1024 ** 2 },
    });
    workers.push(WorkerProcess.start({ pool: request.pool }));
    const handle = await migrations.start(request);
    const status = await handle.result();
    expect(status.findings.filter((finding) => finding.state === 'Failed')).toEqual([]);
    expect(status.failure).toBeUndefined();
    expect(status.state).toBe('Succeeded');
    expect(status.databases).toHaveLength(2);
    for (const database of status.databases) {
      expect(database.differences).toEqual([]);
      expect(database.tables?.filter((table) => table.equal !== true)).toEqual([]);
    }
    expect(
      status.databases.reduce((sum, database) => sum + (database.tablesTotal ?? 0), 0),
    ).toBeGreaterThanOrEqual(40);
    expect(await traces(source, databases)).toEqual(before);
    await replay(migrations, handle);
    if (target === 15) {
      // the pg_dump that everybody has reads this pair: a second opinion on the catalog
      for (const database of databases) {
        expect(await schemaByPgDump(target, database)).toBe(await schemaByRestore(source, target, database));
      }
    }
  });
});
