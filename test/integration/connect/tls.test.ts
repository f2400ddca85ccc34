import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { serverUser, writeAs } from '../../../embedded/server-user';
import type { PostgresServer } from '../../../embedded';
import { mapPostgresError, open, withConnection, type Endpoint } from '../../../postgres/connect';
import { relayCopy } from '../../support/relay-copy';
import { parseLsn } from '../../../postgres/replicate/lsn';
import { openChangeStream } from '../../../postgres/replicate/pgoutput';
import { createOwnServer, ownEndpoint } from '../../support/own-server';

const MAJOR = 15;
const { signal } = new AbortController();

let root: string;
let server: PostgresServer;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-tls-'));
  chmodSync(root, 0o711);
  const settings = { fsync: false, wal_level: 'logical', ssl: true };
  server = await createOwnServer({ major: MAJOR, directory: join(root, 'server'), settings });
  const subject = ['-subj', '/CN=flexlift-test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', join(root, 'key'), '-out', join(root, 'certificate')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files], {
    stdio: 'ignore',
  });
  const user = await serverUser();
  const data = join(server.directory, 'data');
  writeAs(user, join(data, 'server.crt'), readFileSync(join(root, 'certificate'), 'utf8'));
  writeAs(user, join(data, 'server.key'), readFileSync(join(root, 'key'), 'utf8'));
  await server.start();
});

afterAll(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

function endpoint(change: Partial<Endpoint['address']> = {}): Endpoint {
  return ownEndpoint(server, 'flexlift-tls', { sslMode: 'require', ...change });
}

function withSession<T>(work: (client: Client) => Promise<T>): Promise<T> {
  return withConnection({ ...endpoint(), side: 'target' }, 'postgres', signal, work);
}

const run = (sql: string) => withSession((client) => client.query<{ lsn: string }>(sql));

async function isEncrypted(change: Partial<Endpoint['address']>): Promise<boolean | undefined> {
  return await withConnection(endpoint(change), 'postgres', signal, async (client) => {
    const { rows } = await client.query<{ ssl: boolean }>(
      'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    );
    return rows[0]?.ssl;
  });
}

test('a connection is encrypted where the server can, and its certificate is believed', async () => {
  expect(await isEncrypted({ sslMode: 'prefer' })).toBe(true);
  expect(await isEncrypted({ sslMode: 'require' })).toBe(true);
  expect(await isEncrypted({ sslMode: 'verify-full', sslRootCert: join(root, 'certificate') })).toBe(true);
  expect(await isEncrypted({ sslMode: 'disable' })).toBe(false);
});

test('a certificate that nothing vouches for is refused, and the failure says what to do', async () => {
  const error: unknown = await open(endpoint({ sslMode: 'verify-full' }), 'postgres').catch(
    (reason: unknown) => reason,
  );
  expect(mapPostgresError(error, { side: 'source' }).fields).toMatchObject({
    code: 'Unreachable',
    sentence: 'No TLS connection to the source comes about: self-signed certificate.',
    remedy: expect.stringContaining('sslrootcert') as string,
  });
});

test('a root certificate that is not there is named', async () => {
  const missing = { sslMode: 'verify-full', sslRootCert: join(root, 'nothing.pem') } as const;
  await expect(isEncrypted(missing)).rejects.toMatchObject({
    code: 'SecretMissing',
    fields: { sentence: expect.stringContaining('nothing.pem') as string, side: 'source' },
  });
});

test('a table passes from one encrypted session to another', async () => {
  await run(
    `CREATE TABLE public.rows AS SELECT g AS id, repeat('é', g % 3000) AS v FROM generate_series(1, 30000) g`,
  );
  await run('CREATE TABLE public.copy (LIKE public.rows)');
  const copied = await withSession((source) =>
    withSession((target) =>
      relayCopy({
        ...{ source, target, signal },
        copyTo: 'COPY public.rows TO STDOUT (FORMAT binary)',
        copyFrom: 'COPY public.copy FROM STDIN (FORMAT binary)',
      }),
    ),
  );
  expect(copied.rows).toBe(30_000);
  expect((await run('SELECT FROM (TABLE public.rows EXCEPT TABLE public.copy) AS missing')).rowCount).toBe(0);
});

test('a slot is read through an encrypted session, to its last change', async () => {
  await run(
    'CREATE TABLE public.changes (id int PRIMARY KEY, v text); CREATE PUBLICATION pub FOR TABLE public.changes',
  );
  const slot = 'flexlift_tls';
  const made = await run(`SELECT lsn::text FROM pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
  await run(`INSERT INTO public.changes SELECT g, repeat('v', g % 500) FROM generate_series(1, 60000) g`);
  const from = parseLsn(made.rows[0]?.lsn ?? '');
  const args = { endpoint: endpoint(), database: 'postgres', slot, publications: ['pub'], from, signal };
  const stream = await withConnection(endpoint(), 'postgres', signal, (session) =>
    openChangeStream({ ...args, session }),
  );
  let inserts = 0;
  try {
    while (inserts < 60_000) {
      for (const event of await stream.read(30_000)) if (event.kind === 'insert') inserts += 1;
    }
  } finally {
    await stream.close();
  }
  expect(inserts).toBe(60_000);
});
