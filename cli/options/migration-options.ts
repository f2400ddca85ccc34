import { resolve } from 'node:path';
import {
  parseConnectionString,
  SYSTEM_CERTIFICATES,
  type MigrationOptions,
  type ServerOptions,
} from '../../client';
import { UsageError } from '../exit-code';
import { holdsPassword } from '../process-title';
import type { MigrationFlags } from './migration-flags';

const MODES = { offline: 'Offline', online: 'Online' } as const;

export interface FlagContext {
  /** The worker is flexlift's own, on this machine: it shares our files, but not our environment. */
  embeddedWorker: boolean;
  environment: NodeJS.ProcessEnv;
}

/**
 * The options that the flags mean.
 *
 * A password variable is one of the worker's, who reads it at every connect. An embedded worker does not have our
 * environment: there the value is read now, and sealed.
 *
 * @throws UsageError
 */
export function migrationOptions(flags: MigrationFlags, context: FlagContext): MigrationOptions {
  const { databasesAtOnce, copies, indexes, partSize, groupSize, maxRate, maxConnections } = flags;
  return {
    source: serverOptions('source', flags, context),
    target: serverOptions('target', flags, context),
    name: flags.name,
    databases: flags.database,
    ...(flags.mode === undefined ? {} : { mode: MODES[flags.mode] }),
    keylessTables: flags.keylessTables,
    ...(flags.validateOnly === true ? { option: 'Validate' as const } : {}),
    overwrite: flags.overwrite,
    noOwner: !flags.owner,
    noPrivileges: !flags.privileges,
    compare: flags.compare,
    onCancel: flags.onCancel,
    limits: {
      databasesAtOnce,
      copiesAtOnce: copies,
      indexesAtOnce: indexes,
      partBytes: partSize,
      groupBytes: groupSize,
    },
    throttle: { maxRate, maxConnections },
    timeouts: flags.timeout,
    pool: flags.pool,
  };
}

/** Whether a password stands in a URI on the command line, where shells and process lists keep it. */
export function passwordOnCommandLine(argv: string[] = process.argv.slice(2)): boolean {
  return argv.some(holdsPassword);
}

/** @throws UsageError */
export function serverOptions(
  side: 'source' | 'target',
  flags: Partial<MigrationFlags>,
  context: FlagContext,
): ServerOptions {
  const uri = flags[side];
  if (uri === undefined) {
    throw new UsageError(
      `--${side} is missing. Give it as postgres://user@host:5432/, or set FLEXLIFT_${side.toUpperCase()}.`,
    );
  }
  const file = side === 'source' ? flags.sourcePasswordFile : flags.targetPasswordFile;
  const rootCert =
    (side === 'source' ? flags.sourceSslRootCert : flags.targetSslRootCert) ??
    parseConnectionString(uri, side).sslrootcert ??
    (context.environment.PGSSLROOTCERT || undefined);
  return {
    uri,
    ...passwordVariable(side, flags, context),
    passwordFile: file === undefined ? undefined : localPath(file, context),
    sslMode: side === 'source' ? flags.sourceSslMode : flags.targetSslMode,
    sslRootCert:
      rootCert === undefined || rootCert === SYSTEM_CERTIFICATES ? rootCert : localPath(rootCert, context),
  };
}

function passwordVariable(
  side: 'source' | 'target',
  flags: Partial<MigrationFlags>,
  { embeddedWorker, environment }: FlagContext,
): Pick<ServerOptions, 'password' | 'passwordEnv'> {
  const variable = side === 'source' ? flags.sourcePasswordEnv : flags.targetPasswordEnv;
  if (variable === undefined) return {};
  if (!embeddedWorker) return { passwordEnv: variable };
  const password = environment[variable];
  if (password === undefined) {
    throw new UsageError(`--${side}-password-env: there is no environment variable ${variable}. Export it.`);
  }
  return { password };
}

/** The embedded worker runs in another folder than we. */
function localPath(path: string, { embeddedWorker }: FlagContext): string {
  return embeddedWorker ? resolve(path) : path;
}
