import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FlexliftError } from '../../../contract';
import { quoteIdentifier } from '../../../postgres/connect';
import { dumpSchema, findPgDump, readArchive, type PgDump, type SchemaDump } from '../../../postgres/schema';
import { eventually } from '../../support/eventually';
import { createTestDatabase, dropTestDatabase, testEndpoint, withSession } from '../../support/servers';
import { NEVER, withSnapshot } from './schema-steps';

const suffix = randomBytes(3).toString('hex');
const endpoint = testEndpoint(14, 'source', `flexlift-test-${suffix}`);
let database: string;
let pgDump: PgDump;

beforeAll(async () => {
  pgDump = await findPgDump({ sourceMajor: 14, targetMajor: 15 });
  database = await createTestDatabase(14, 'flx_schema');
  await withSession(14, database, (client) => client.query('CREATE TABLE t (a int)'));
});
afterAll(() => dropTestDatabase(14, database));

function dump(changes: Partial<SchemaDump> = {}): Promise<Buffer> {
  return withSnapshot(testEndpoint(14, 'source'), changes.database ?? database, (snapshot) =>
    dumpSchema({ endpoint, database, pgDump, snapshot, lockTimeoutMs: 5_000, signal: NEVER, ...changes }),
  );
}

async function failure(work: Promise<unknown>): Promise<FlexliftError['fields']> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return (error as FlexliftError).fields;
}

test('any name of a database', async () => {
  const odd = `flx_schema ${suffix} it's "odd" = \\ host=nowhere 🚚`;
  await withSession(14, 'postgres', (client) => client.query(`CREATE DATABASE ${quoteIdentifier(odd)}`));
  try {
    await withSession(14, odd, (client) => client.query('CREATE TABLE here ()'));
    const { entries } = readArchive(await dump({ database: odd }));
    expect(entries.map(({ tag }) => tag)).toContain('here');
  } finally {
    await dropTestDatabase(14, odd);
  }
});

test('the dump sees what its snapshot sees', async () => {
  await withSnapshot(endpoint, database, async (snapshot) => {
    await withSession(14, database, (client) => client.query('CREATE TABLE later ()'));
    const archive = await dumpSchema({
      endpoint,
      database,
      pgDump,
      snapshot,
      lockTimeoutMs: 5_000,
      signal: NEVER,
    });
    const tags = readArchive(archive).entries.map(({ tag }) => tag);
    expect(tags).toContain('t');
    expect(tags).not.toContain('later');
  });
});

test.each(['00000003-0000001B-1', 'no snapshot'])('a snapshot that is gone: %s', async (snapshot) => {
  expect(await failure(dump({ snapshot }))).toMatchObject({ code: 'SnapshotLost', side: 'source', database });
});

test('a message in any other language is settled by the snapshot itself', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'flexlift-dump-test-'));
  const path = join(directory, 'pg_dump');
  writeFileSync(path, '#!/bin/sh\necho "pg_dump: error: FEHLER:  nein" >&2\nexit 1\n', { mode: 0o755 });
  const tool = { pgDump: { path, major: 15 } };
  try {
    expect(await failure(dump(tool))).toMatchObject({
      code: 'ClientToolFailed',
      sentence: 'pg_dump: FEHLER: nein.',
    });
    expect(await failure(dump({ ...tool, snapshot: '00000003-0000001B-1' }))).toMatchObject({
      code: 'SnapshotLost',
    });
    const nobody = { ...endpoint, address: { ...endpoint.address, user: `nobody_${suffix}` } };
    expect(await failure(dump({ ...tool, endpoint: nobody }))).toMatchObject({
      code: 'AuthenticationFailed',
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a source that is not there', async () => {
  const address = { ...endpoint.address, port: 1 };
  const away = { ...endpoint, address };
  expect(await failure(dump({ endpoint: away }))).toMatchObject({ code: 'Unreachable', side: 'source' });
  expect(await failure(dump({ pgDump: { path: '/nowhere/pg_dump', major: 15 } }))).toMatchObject({
    code: 'ClientToolFailed',
  });
});

test('a table that the user may not read is named', async () => {
  const role = `flx_schema_${suffix}`;
  await withSession(14, 'postgres', (client) => client.query(`CREATE ROLE ${role} LOGIN`));
  try {
    const stranger = { ...endpoint, address: { ...endpoint.address, user: role } };
    const fields = await failure(dump({ endpoint: stranger }));
    expect(fields.code).toBe('ClientToolFailed');
    expect(fields.sentence).toMatch(/^pg_dump: query failed: ERROR: permission denied for table \w+\.$/);
  } finally {
    await withSession(14, 'postgres', (client) => client.query(`DROP ROLE ${role}`));
  }
});

async function whileLocked(work: () => Promise<void>): Promise<void> {
  await withSession(14, database, async (client) => {
    await client.query('BEGIN');
    await client.query('LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
    await work();
  });
}

test('a lock that is not had in time is tried again', async () => {
  await whileLocked(async () => {
    expect(await failure(dump({ lockTimeoutMs: 200 }))).toMatchObject({ code: 'Contention' });
  });
});

test('an abort ends pg_dump and its session, and leaves no file and no password behind', async () => {
  await whileLocked(async () => {
    const stop = new AbortController();
    const secret = { ...endpoint, resolvePassword: () => Promise.resolve('hush-hush') };
    const dumped = dump({ endpoint: secret, signal: stop.signal, lockTimeoutMs: 60_000 });
    dumped.catch(() => undefined);
    await eventually('pg_dump waits for the lock', async () => (await waitingSessions()) > 0);
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
    const tool = processes.find((line) => line.includes(`dbname='${database}'`)) ?? '';
    expect(tool).not.toContain('hush-hush');
    const directory = dirname(/--file=(\S+)/.exec(tool)?.[1] ?? '');
    expect(existsSync(directory)).toBe(true);
    stop.abort(new Error('stopped'));
    await expect(dumped).rejects.toThrow('stopped');
    expect(existsSync(directory)).toBe(false);
    await eventually('its session is gone', async () => (await waitingSessions()) === 0, { timeout: 3_000 });
  });
});

async function waitingSessions(): Promise<number> {
  const { rowCount } = await withSession(14, 'postgres', (client) =>
    client.query(
      `SELECT FROM pg_stat_activity WHERE application_name = $1 AND datname = $2 AND wait_event_type = 'Lock'`,
      [endpoint.applicationName, database],
    ),
  );
  return rowCount ?? 0;
}
