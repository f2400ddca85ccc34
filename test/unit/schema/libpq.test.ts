import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerAddress } from '../../../contract';
import type { Endpoint } from '../../../postgres/connect';
import { connectionString, libpqEnvironment } from '../../../postgres/schema/libpq';

function endpoint(address: Partial<ServerAddress>, password?: string): Endpoint {
  return {
    side: 'source',
    address: {
      host: 'db.example.com',
      port: 5432,
      user: `o'neil \\`,
      maintenanceDatabase: 'postgres',
      password: { kind: 'none' },
      sslMode: 'require',
      ...address,
    },
    resolvePassword: () => Promise.resolve(password),
    applicationName: 'flexlift:x',
    connectTimeout: 1_500,
  };
}

test('a connection string keeps every name whole and has no password', () => {
  const text = connectionString(endpoint({}, 'hush'), `a=b 'c' "d"`);
  expect(text).toContain(`dbname='a=b \\'c\\' "d"'`);
  expect(text).toContain(`user='o\\'neil \\\\'`);
  expect(text).toContain(`connect_timeout='2'`);
  expect(text).not.toContain('hush');
});

describe('the environment of a tool', () => {
  const directory = mkdtempSync(join(tmpdir(), 'flexlift-libpq-test-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  test("holds the password and none of the worker's own PG variables", async () => {
    process.env.PGSERVICE = 'elsewhere';
    try {
      const environment = await libpqEnvironment(endpoint({}, 'hush'), directory);
      expect(environment).toMatchObject({
        PGPASSWORD: 'hush',
        PGAPPNAME: 'flexlift:x',
        PGSSLMODE: 'require',
      });
      expect(environment.PGSERVICE).toBeUndefined();
      expect(environment.PATH).toBe(process.env.PATH);
      expect(await libpqEnvironment(endpoint({}), directory)).not.toHaveProperty('PGPASSWORD');
    } finally {
      delete process.env.PGSERVICE;
    }
  });

  describe("with pgpass, names the worker's own places of a password", () => {
    const before = { ...process.env };
    afterEach(() => {
      for (const name of ['PGPASSFILE', 'PGPASSWORD', 'HOME']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    });
    const pgpass = () => libpqEnvironment(endpoint({ password: { kind: 'pgpass' } }), directory);

    test('the default file, as HOME says', async () => {
      delete process.env.PGPASSFILE;
      delete process.env.PGPASSWORD;
      process.env.HOME = '/home/of-worker';
      const environment = await pgpass();
      expect(environment.PGPASSFILE).toBe('/home/of-worker/.pgpass');
      expect(environment).not.toHaveProperty('PGPASSWORD');
    });

    test('PGPASSFILE and PGPASSWORD, which no other kind of password sees', async () => {
      Object.assign(process.env, { PGPASSFILE: '/run/pgpass', PGPASSWORD: 'of-worker' });
      expect(await pgpass()).toMatchObject({ PGPASSFILE: '/run/pgpass', PGPASSWORD: 'of-worker' });
      const other = await libpqEnvironment(endpoint({}), directory);
      expect(other.PGPASSFILE).toBe(join(directory, 'no-pgpass'));
      expect(other).not.toHaveProperty('PGPASSWORD');
    });
  });

  test('verifies with the given authority, else with those that our own connections trust', async () => {
    const given = await libpqEnvironment(
      endpoint({ sslMode: 'verify-ca', sslRootCert: '/ca.pem' }),
      directory,
    );
    expect(given.PGSSLROOTCERT).toBe('/ca.pem');
    const known = await libpqEnvironment(endpoint({ sslMode: 'verify-full' }), directory);
    expect(readFileSync(known.PGSSLROOTCERT ?? '', 'utf8')).toContain('BEGIN CERTIFICATE');
  });
});
