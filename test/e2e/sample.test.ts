import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DEFAULT_LIMITS } from '../../contract';
import { createSampleRoles, loadSample } from '../../embedded/sample';
import { Migrations, testRequest } from '../support/migration';
import { replay } from '../support/replay';
import { dropTestDatabase, testAddress, withSession, type Major } from '../support/servers';
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

/** All that a migration could leave behind on a source. */
async function traces(major: Major, databases: string[]): Promise<unknown[]> {
  const onServer = await withSession(major, 'postgres', (client) =>
    client.query(`
      SELECT 'session' AS what, application_name AS name FROM pg_stat_activity WHERE application_name LIKE 'flexlift:%'
      UNION ALL SELECT 'slot', slot_name FROM pg_replication_slots
      UNION ALL SELECT 'prepared', gid FROM pg_prepared_xacts`),
  );
  const inDatabases = await Promise.all(
    databases.map((database) =>
      withSession(major, database, (client) =>
        client.query(`
          SELECT 'schema' AS what, nspname AS name FROM pg_namespace WHERE nspname LIKE 'flexlift%'
          UNION ALL SELECT 'publication', pubname FROM pg_publication WHERE pubname LIKE 'flexlift%'
          UNION ALL SELECT 'setting', array_to_string(setconfig, ' ') FROM pg_db_role_setting
            WHERE array_to_string(setconfig, ' ') LIKE '%read_only%'`),
      ),
    ),
  );
  return [...onServer.rows, ...inDatabases.flatMap(({ rows }) => rows as unknown[])];
}

async function schemaByPgDump(major: Major, database: string): Promise<string> {
  const { host, port, user } = testAddress(major);
  const url = `postgres://${user}@${host}:${port}/${encodeURIComponent(database)}`;
  const { stdout } = await run('pg_dump', ['--schema-only', '--exclude-schema=flexlift', url], {
    maxBuffer: 2 ** 26,
  });
  return stdout
    .split('\n')
    .filter((line) => !/^(--|\\(un)?restrict|SET |SELECT pg_catalog.set_config)/.test(line))
    .join('\n');
}

describe.each([
  [11, 15],
  [14, 17],
  [15, 18],
] as const)('the sample, %i → %i', (source, target) => {
  let databases: string[] = [];

  beforeAll(async () => {
    const { host, port, user } = testAddress(source);
    const loaded = await loadSample({ address: { host, port, user }, megabytes: 8, replace: true });
    databases = loaded.databases;
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
    expect(status).toMatchObject({ state: 'Succeeded', failure: undefined });
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
      // pg_dump 15 reads both sides: a second opinion on the catalog
      for (const database of databases) {
        expect(await schemaByPgDump(target, database)).toBe(await schemaByPgDump(source, database));
      }
    }
  });
});
