import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from '../../../contract';
import { openSealed, sealKeyId } from '../../../contract/sealing';
import { newMigrationId, sealRequest, wantedMigration } from '../../../client/migration-request';

const servers = { source: 'postgres://me:one@old/', target: 'postgres://me:two@new:5433/' };
const wanted = (change: object = {}, environment: NodeJS.ProcessEnv = {}) =>
  wantedMigration({ ...servers, ...change }, environment);

test('fills in every default', () => {
  expect(wanted()).toEqual({
    version: 1,
    name: 'old-to-new-5433',
    mode: 'Offline',
    option: 'ValidateAndMigrate',
    source: {
      host: 'old',
      port: 5432,
      user: 'me',
      maintenanceDatabase: 'postgres',
      password: { kind: 'clear', text: 'one' },
      sslMode: 'prefer',
    },
    target: {
      host: 'new',
      port: 5433,
      user: 'me',
      maintenanceDatabase: 'postgres',
      password: { kind: 'clear', text: 'two' },
      sslMode: 'prefer',
    },
    overwrite: false,
    noOwner: false,
    noPrivileges: false,
    compare: true,
    onCancel: 'keep-target',
    keylessTables: 'append',
    limits: DEFAULT_LIMITS,
    openLimits: ['databasesAtOnce', 'copiesAtOnce', 'indexesAtOnce'],
    throttle: {},
    timeouts: DEFAULT_TIMEOUTS,
    searchAttributes: true,
    pool: 'default',
  });
});

test('merges limits and timeouts; what is undefined hides no default', () => {
  const { limits, timeouts } = wanted({
    limits: { copiesAtOnce: 9, partBytes: undefined },
    timeouts: { heartbeat: 5, long: undefined },
  });
  expect(limits).toEqual({ ...DEFAULT_LIMITS, copiesAtOnce: 9 });
  expect(timeouts).toEqual({ ...DEFAULT_TIMEOUTS, heartbeat: 5 });
});

test('an online migration has its own options', () => {
  const timeouts = { segment: 1_000, proof: 2_000, watch: 3_000 };
  expect(wanted({ mode: 'Online', keylessTables: 'full', timeouts })).toMatchObject({
    mode: 'Online',
    keylessTables: 'full',
    timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
  });
});

test.each([
  [{ source: undefined }, 'source: it is missing.'],
  [{ source: 3 }, 'source: it must be an object.'],
  [{ source: { uri: 'postgres://h', portt: 1 } }, 'source.portt: there is no such option.'],
  [{ overwrit: true }, 'overwrit: there is no such option.'],
  [{ overwrite: 'yes' }, 'overwrite: it must be true or false.'],
  [{ mode: 'Sideways' }, 'mode: it has none of its values. Give Offline, Online.'],
  [{ databases: [] }, 'databases: it must name at least one database'],
  [{ databases: ['a', 'a'] }, 'databases: it names a database twice'],
  [{ databases: [''] }, 'databases.0: it must not be empty.'],
  [{ databases: 'a' }, 'databases: it must be a list.'],
  [{ limits: { copiesAtOnce: 0 } }, 'limits.copiesAtOnce: it must be at least 1.'],
  [{ limits: { copiesAtOnce: 1.5 } }, 'limits.copiesAtOnce: it must be a whole number.'],
  [{ limits: { copies: 2 } }, 'limits.copies: there is no such option.'],
  [{ keylessTables: 'all', mode: 'Online' }, 'keylessTables: it has none of its values. Give append, full.'],
  [{ keylessTables: 'append' }, 'keylessTables: only an online migration'],
  [{ keylessTables: 'full', mode: 'Offline' }, 'keylessTables: only an online migration'],
  [{ timeouts: { segment: 0 } }, 'timeouts.segment: it must be at least 1.'],
  [{ timeouts: { long: '1h' } }, 'timeouts.long: it must be a whole number.'],
  [{ name: 'a/b' }, 'name: it must be letters, digits'],
  [{ name: '' }, 'name: it must be letters, digits'],
  [{ pool: 'Ä' }, 'pool: it must be letters, digits'],
  [{ source: 'postgres://me@h:99999/' }, 'source.port: it must be a number from 1 to 65535.'],
  [{ source: 'postgres://me:p/w' }, 'source.port: it must be a number from 1 to 65535.'],
  [{ source: 'postgres://me:12/34@h/' }, 'source: an @ stands behind the first / of the URI.'],
  [{ source: 'postgres://me@h/?sslmode=allow' }, 'source.sslMode: it has none of its values.'],
  [{ source: 'postgres:///' }, 'source.host: no host is named.'],
  [{ target: 'postgres://h/' }, 'target.user: no user is named.'],
  [
    { source: { uri: 'postgres://me:p@h', passwordEnv: 'X' } },
    'source.password: the password is given in several ways.',
  ],
  [
    { source: 'postgres://a@h/', target: 'postgres://b@h:5432/' },
    'target: it is the same server as the source.',
  ],
  [{ source: 'postgres://a%00b@h/' }, 'source.user: it holds a NUL character.'],
])('refuses %j', (change, message) => {
  expect(() => wanted(change)).toThrow(message);
});

test('parts win over the URI, the URI over the environment', () => {
  const environment = {
    PGHOST: 'envhost',
    PGPORT: '7000',
    PGUSER: 'envuser',
    PGPASSWORD: 'envpw',
    PGSSLMODE: 'require',
  };
  expect(wanted({ source: 'postgres://' }, environment).source).toEqual({
    host: 'envhost',
    port: 7000,
    user: 'envuser',
    maintenanceDatabase: 'postgres',
    password: { kind: 'clear', text: 'envpw' },
    sslMode: 'require',
  });
  const source = {
    uri: 'postgres://u@h:1/d?sslmode=disable',
    port: 2,
    passwordFile: '/pw',
    sslMode: 'verify-full',
  };
  expect(wanted({ source }, environment).source).toEqual({
    host: 'h',
    port: 2,
    user: 'u',
    maintenanceDatabase: 'd',
    password: { kind: 'file', path: '/pw' },
    sslMode: 'verify-full',
  });
});

test('without a password the worker looks into its pgpass', () => {
  expect(wanted({ source: 'postgres://me@old' }).source.password).toEqual({ kind: 'pgpass' });
});

test('a sealed request holds no password, and each side opens with the key for this migration only', async () => {
  const key = Buffer.alloc(32, 7);
  const identity = { migrationId: newMigrationId(), generation: 3 };
  const request = await sealRequest(wanted(), identity, () => Promise.resolve(key));
  expect(request).toMatchObject(identity);
  expect(JSON.stringify(request)).not.toMatch(/"(one|two)"/);
  const { password } = request.target;
  if (password.kind !== 'sealed') throw new Error('not sealed');
  const keys = new Map([[sealKeyId(key), key]]);
  expect(openSealed(password, keys, identity.migrationId)).toBe('two');
  expect(() => openSealed(password, keys, newMigrationId())).toThrow(/does not open/);
});

test('no key is made where nothing is to be sealed', async () => {
  const open = wanted({
    source: 'postgres://me@old',
    target: { uri: 'postgres://me@new', passwordEnv: 'PW' },
  });
  const key = () => Promise.reject(new Error('asked for a key'));
  await expect(sealRequest(open, { migrationId: 'a', generation: 1 }, key)).resolves.toMatchObject({
    source: { password: { kind: 'pgpass' } },
    target: { password: { kind: 'env', name: 'PW' } },
  });
});

describe('the default name', () => {
  const nameOf = (source: string, target: string, databases?: string[]) =>
    wanted({ source, target, databases }).name;

  test('is readable', () => {
    expect(nameOf('postgres://me@old.example.com', 'postgres://me@new')).toBe('old.example.com-to-new');
    expect(nameOf('postgres://me@h:5411', 'postgres://me@h:5417', ['shop', 'crm'])).toBe(
      'h-5411-to-h-5417-crm-shop',
    );
  });

  test('does not depend on the order of the databases', () => {
    expect(nameOf('postgres://me@a', 'postgres://me@b', ['x', 'y'])).toBe(
      nameOf('postgres://me@a', 'postgres://me@b', ['y', 'x']),
    );
  });

  test.each([[['a b']], [['"🐘"']], [['x'.repeat(63), 'y'.repeat(63)]], [['..']], [['-']]])(
    'is a legal name for %j, and another one for another database',
    (databases) => {
      const name = nameOf('postgres://me@a', 'postgres://me@%2Ftmp', databases);
      expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/);
      expect(name).not.toBe(nameOf('postgres://me@a', 'postgres://me@%2Ftmp', [...databases, 'z']));
      expect(wanted({ name }).name).toBe(name);
    },
  );

  test('of an IPv6 host is legal', () => {
    expect(wanted({ name: nameOf('postgres://me@[::1]', 'postgres://me@[fe80::1]') }).name).toMatch(
      /^1-to-fe80-1-/,
    );
  });
});

test('the certificates of the system are no file, and are checked', () => {
  const source = 'postgres://me:one@old/?sslrootcert=system';
  const { source: checked } = wanted({ source });
  expect(checked).toMatchObject({ sslMode: 'verify-full' });
  expect(checked).not.toHaveProperty('sslRootCert');
  expect(wanted({ source: `${source}&sslmode=require` }).source.sslMode).toBe('require');
});
