import { resolve } from 'node:path';
import { Command } from 'commander';
import { addMigrationFlags, flagOf, type MigrationFlags } from '../../../cli/options/migration-flags';
import { migrationOptions } from '../../../cli/options/migration-options';
import { orNone, parseDuration, parseRate, parseSize } from '../../../cli/options/sizes';
import { holdsPassword } from '../../../cli/process-title';

const servers = ['--source', 'postgres://me@old/', '--target', 'postgres://me@new/'];

function parse(args: string[], context = { embeddedWorker: false, environment: {} as NodeJS.ProcessEnv }) {
  const command = addMigrationFlags(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return migrationOptions(command.parse(args, { from: 'user' }).opts<MigrationFlags>(), context);
}

test('without flags everything is left to the defaults', () => {
  const given = JSON.parse(JSON.stringify(parse(servers))) as object;
  expect(given).toEqual({
    source: { uri: 'postgres://me@old/' },
    target: { uri: 'postgres://me@new/' },
    noOwner: false,
    noPrivileges: false,
    compare: true,
    limits: {},
    throttle: {},
  });
});

test('every flag has its option', () => {
  const flags = [
    ...[
      '--database',
      'a',
      '--database',
      'B c',
      '--name',
      'n',
      '--validate-only',
      '--overwrite',
      '--no-owner',
    ],
    ...[
      '--no-privileges',
      '--no-compare',
      '--on-cancel',
      'drop-target',
      '--pool',
      'p',
      '--databases-at-once',
      '3',
    ],
    ...['--copies', '5', '--indexes', '6', '--part-size', '64MB', '--group-size', '1k'],
    ...['--max-rate', '50MB/s', '--max-connections', '9'],
    ...['--mode', 'online', '--keyless-tables', 'full'],
    ...['--timeout', 'connect=3s', '--timeout', 'long=2h', '--source-ssl-mode', 'require'],
  ];
  expect(parse([...servers, ...flags])).toMatchObject({
    source: { sslMode: 'require' },
    databases: ['a', 'B c'],
    name: 'n',
    mode: 'Online',
    keylessTables: 'full',
    option: 'Validate',
    overwrite: true,
    noOwner: true,
    noPrivileges: true,
    compare: false,
    onCancel: 'drop-target',
    pool: 'p',
    limits: {
      databasesAtOnce: 3,
      copiesAtOnce: 5,
      indexesAtOnce: 6,
      partBytes: 64 * 1024 ** 2,
      groupBytes: 1024,
    },
    throttle: { maxRate: 50 * 1024 ** 2, maxConnections: 9 },
    timeouts: { connect: 3_000, long: 7_200_000 },
  });
});

test.each([
  ['--copies', '0'],
  ['--copies', '1.5'],
  ['--part-size', '5 apples'],
  ['--max-rate', '5MB/min'],
  ['--max-connections', 'none'],
  ['--timeout', 'connect=fast'],
  ['--on-cancel', 'x'],
  ['--mode', 'Sideways'],
  ['--keyless-tables', 'none'],
])('refuses %s %s', (flag, value) => expect(() => parse([...servers, flag, value])).toThrow(flag));

test('a missing server is named with its variable', () => {
  expect(() => parse(['--source', 'postgres://me@old/'])).toThrow(/--target is missing.*FLEXLIFT_TARGET/);
});

test("a password variable is the remote worker's, but ours where the worker is embedded", () => {
  const flags = [...servers, '--source-password-env', 'PW', '--target-password-file', 'secrets/pw'];
  const environment = { PW: 'secret' };
  expect(parse(flags, { embeddedWorker: false, environment })).toMatchObject({
    source: { passwordEnv: 'PW' },
    target: { passwordFile: 'secrets/pw' },
  });
  expect(parse(flags, { embeddedWorker: true, environment })).toMatchObject({
    source: { password: 'secret' },
    target: { passwordFile: `${process.cwd()}/secrets/pw` },
  });
  expect(() => parse(flags, { embeddedWorker: true, environment: {} })).toThrow(/no environment variable PW/);
});

test.each([
  ['65536', 65_536],
  ['1kB', 1_024],
  ['512 MiB', 512 * 1024 ** 2],
  ['2g', 2 * 1024 ** 3],
])('the size %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

test.each([
  ['250ms', 250],
  ['30s', 30_000],
  ['5min', 300_000],
  ['7d', 604_800_000],
])('the duration %s', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

test.each(['0', '-1MB', '', '1EB', '99999999999T'])('no size: %s', (text) =>
  expect(() => parseSize(text)).toThrow(),
);

test('a bound is a value or none, through commander too', () => {
  const command = new Command().option('--max-rate <rate>', '', orNone(parseRate));
  const parsed = (value: string) =>
    command.parse(['--max-rate', value], { from: 'user' }).opts<{ maxRate: unknown }>().maxRate;
  expect([parsed('none'), parsed('2MB/s'), parsed('64k')]).toEqual(['none', 2 * 1024 ** 2, 64 * 1024]);
});

test('options without a flag have none', () => expect(flagOf('nonsense')).toBeUndefined());

test.each([
  ['postgres://u:p@h/', true],
  ['--source=postgresql://u:p@h', true],
  ['postgres://h/?password=x', true],
  ['host=h password=x', true],
  ['postgres://u@h:5432/', false],
  ['--source-password-env=PW', false],
  ['--source-password-file', false],
])('%s holds a password: %s', (argument, holds) => expect(holdsPassword(argument)).toBe(holds));

test('a root certificate is looked for here, whichever way it is named', () => {
  const given = (uri: string, environment: NodeJS.ProcessEnv = {}) =>
    parse(['--source', uri, '--target', 'postgres://me@new/'], { embeddedWorker: true, environment }).source;
  const here = { sslRootCert: resolve('root.pem') };
  expect(given('postgres://me@old/?sslrootcert=root.pem')).toMatchObject(here);
  expect(given('postgres://me@old/', { PGSSLROOTCERT: 'root.pem' })).toMatchObject(here);
  expect(given('postgres://me@old/?sslrootcert=system')).toMatchObject({ sslRootCert: 'system' });
});
