import { Option, type Command } from 'commander';
import type { KeylessTables, MigrationTimeouts, OnCancel, SslMode } from '../../client';
import { collect } from './collect';
import { parseCount, parseDuration, parseRate, parseSize } from './sizes';

/** What commander makes of the flags of `migrate` and `create`. */
export interface MigrationFlags {
  source?: string;
  sourcePasswordEnv?: string;
  sourcePasswordFile?: string;
  sourceSslMode?: SslMode;
  sourceSslRootCert?: string;
  target?: string;
  targetPasswordEnv?: string;
  targetPasswordFile?: string;
  targetSslMode?: SslMode;
  targetSslRootCert?: string;
  database?: string[];
  name?: string;
  mode?: 'offline' | 'online';
  keylessTables?: KeylessTables;
  validateOnly?: boolean;
  overwrite?: boolean;
  yes?: boolean;
  owner: boolean;
  privileges: boolean;
  compare: boolean;
  onCancel?: OnCancel;
  pool?: string;
  databasesAtOnce?: number;
  copies?: number;
  indexes?: number;
  partSize?: number;
  groupSize?: number;
  maxRate?: number;
  maxConnections?: number;
  timeout?: Partial<MigrationTimeouts>;
}

/** Which flag sets an option of the program interface: an error of the client names the flag. */
const FLAG_OF_OPTION: Record<string, string> = {
  source: '--source',
  target: '--target',
  name: '--name',
  databases: '--database',
  database: '--database',
  mode: '--mode',
  keylessTables: '--keyless-tables',
  fence: '--fence',
  maxLagBytes: '--max-lag',
  maxCompareBytes: '--max-compare',
  table: '--table',
  option: '--validate-only',
  overwrite: '--overwrite',
  noOwner: '--no-owner',
  noPrivileges: '--no-privileges',
  compare: '--no-compare',
  onCancel: '--on-cancel',
  pool: '--pool',
  'limits.databasesAtOnce': '--databases-at-once',
  'limits.copiesAtOnce': '--copies',
  'limits.indexesAtOnce': '--indexes',
  'limits.partBytes': '--part-size',
  'limits.groupBytes': '--group-size',
  'throttle.maxRate': '--max-rate',
  'throttle.maxConnections': '--max-connections',
  maxRate: '--max-rate',
  maxConnections: '--max-connections',
  'source.sslMode': '--source-ssl-mode',
  'target.sslMode': '--target-ssl-mode',
  'source.sslRootCert': '--source-ssl-root-cert',
  'target.sslRootCert': '--target-ssl-root-cert',
};

/** `undefined`: no flag sets it. */
export function flagOf(option: string): string | undefined {
  if (option.startsWith('timeouts.')) return `--timeout ${option.slice('timeouts.'.length)}=…`;
  return FLAG_OF_OPTION[option] ?? FLAG_OF_OPTION[option.split('.')[0] ?? ''];
}

const SSL_MODES: SslMode[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'];
const URI = 'postgres://user@host:port/database?sslmode=… (the database is only where to log in)';

export function addMigrationFlags(command: Command): Command {
  addServerFlags(command, 'source', 'FLEXLIFT_SOURCE');
  addServerFlags(command, 'target', 'FLEXLIFT_TARGET');
  return command
    .option('--database <name>', 'a database to migrate; repeatable (default: all)', collect)
    .option('--name <name>', 'what to call the migration (default: from source and target)')
    .addOption(
      choice('--mode <mode>', 'online: copy while the source is written to, replicate, cut over later', [
        'offline',
        'online',
      ]),
    )
    .addOption(
      choice(
        '--keyless-tables <how>',
        'online, of tables without a key: append (INSERT is replicated, else copied anew) or full (old rows logged)',
        ['append', 'full'],
      ),
    )
    .option('--validate-only', 'say what would stand in the way, change nothing')
    .option('--overwrite', 'replace target databases that are not empty')
    .option('-y, --yes', 'do not ask before something is destroyed')
    .option('--no-owner', "objects belong to the target's user")
    .option('--no-privileges', 'leave out GRANT and REVOKE')
    .option('--no-compare', 'do not prove equality; ends with code 6')
    .addOption(
      choice(
        '--on-cancel <what>',
        'what flexlift cancel does with the target databases where it is not told; it does not ask then (default: keep-target)',
        ['keep-target', 'drop-target'],
      ),
    )
    .addOption(
      new Option('--pool <name>', 'the workers that serve it (default: "default")').env('FLEXLIFT_POOL'),
    )
    .option('--databases-at-once <n>', 'databases loaded at a time (default: 2)', parseCount)
    .option(
      '--copies <n>',
      'copies at a time per database (default: 2 per CPU, half where the target has standbys)',
      parseCount,
    )
    .option('--indexes <n>', 'index builds at a time per database (default: by the CPUs)', parseCount)
    .option('--part-size <size>', 'cut larger tables into parts of this size (default: 4GB)', parseSize)
    .option('--group-size <size>', 'copy small tables together up to this size (default: 256MB)', parseSize)
    .option('--max-rate <rate>', 'of rows loaded from the source, e.g. 50MB/s (default: no bound)', parseRate)
    .option('--max-connections <n>', 'sessions on the source (default: what the above come to)', parseCount)
    .addOption(
      new Option('--timeout <name=duration>', 'e.g. connect=10s; repeatable')
        .argParser(collectTimeout)
        .hideHelp(),
    );
}

/** @param variable gives the URI where no flag does; absent: none, for what must be said each time */
export function addServerFlags(command: Command, side: 'source' | 'target', variable?: string): Command {
  const uri = new Option(`--${side} <uri>`, URI);
  return command
    .addOption(variable === undefined ? uri : uri.env(variable))
    .option(`--${side}-password-env <name>`, 'an environment variable with the password')
    .option(`--${side}-password-file <path>`, 'a file whose first line is the password')
    .addOption(choice(`--${side}-ssl-mode <mode>`, 'default: prefer', SSL_MODES))
    .option(`--${side}-ssl-root-cert <path>`, 'certificates of the authority, PEM');
}

function choice(flags: string, description: string, values: string[]): Option {
  return new Option(flags, description).choices(values);
}

function collectTimeout(value: string, earlier: Record<string, number> = {}): Record<string, number> {
  const [name = '', duration = ''] = value.split('=');
  return { ...earlier, [name]: parseDuration(duration) };
}
