import { randomBytes } from 'node:crypto';
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type Concurrency,
  type MigrationRequest,
  type ServerAddress,
} from '../contract';
import { seal } from '../contract/sealing';
import { checkOptions, type MigrationOptions } from './migration-options';
import { defaultMigrationName } from './migration-name';
import { RequestError } from './request-error';
import { resolveServer, type ClearAddress } from './server-address';

/** A request whose passwords are not sealed yet, and which belongs to no run: it never leaves this process. */
export type WantedMigration = Omit<MigrationRequest, 'migrationId' | 'generation' | 'source' | 'target'> & {
  source: ClearAddress;
  target: ClearAddress;
};

/** Which run of which migration. */
export interface RunIdentity {
  migrationId: string;
  generation: number;
}

/** What the servers choose where nobody does. */
const CONCURRENCY: (keyof Concurrency)[] = ['databasesAtOnce', 'copiesAtOnce', 'indexesAtOnce'];

/**
 * Checks the options and fills in the defaults.
 *
 * @throws RequestError
 */
export function wantedMigration(
  options: unknown,
  environment: NodeJS.ProcessEnv = process.env,
): WantedMigration {
  const checked = checkOptions(options);
  const source = resolveServer(checked.source, 'source', environment);
  const target = resolveServer(checked.target, 'target', environment);
  if (source.host === target.host && source.port === target.port) {
    throw new RequestError('target', 'it is the same server as the source.', 'Name another server.');
  }
  if (checked.keylessTables !== undefined && checked.mode !== 'Online') {
    throw new RequestError(
      'keylessTables',
      'only an online migration treats tables without a key in a way of their own.',
      'Leave it out, or make the mode Online.',
    );
  }
  return {
    version: 1,
    name: checked.name ?? defaultMigrationName(source, target, checked.databases),
    mode: checked.mode ?? 'Offline',
    option: checked.option ?? 'ValidateAndMigrate',
    source,
    target,
    ...(checked.databases === undefined ? {} : { databases: checked.databases }),
    overwrite: checked.overwrite ?? false,
    noOwner: checked.noOwner ?? false,
    noPrivileges: checked.noPrivileges ?? false,
    compare: checked.compare ?? true,
    onCancel: checked.onCancel ?? 'keep-target',
    keylessTables: checked.keylessTables ?? 'append',
    limits: { ...DEFAULT_LIMITS, ...given(checked.limits) },
    openLimits: CONCURRENCY.filter((name) => checked.limits?.[name] === undefined),
    throttle: given(checked.throttle),
    timeouts: { ...DEFAULT_TIMEOUTS, ...given(checked.timeouts) },
    searchAttributes: true,
    pool: checked.pool ?? 'default',
  };
}

/**
 * Checks options without starting anything.
 *
 * @throws RequestError
 */
export function checkMigrationOptions(options: MigrationOptions): void {
  wantedMigration(options);
}

export function newMigrationId(): string {
  return randomBytes(6).toString('hex');
}

/** @param key called only where a password is to be sealed */
export async function sealRequest(
  wanted: WantedMigration,
  identity: RunIdentity,
  key: () => Promise<Buffer>,
): Promise<MigrationRequest> {
  const source = await sealAddress(wanted.source, identity.migrationId, key);
  const target = await sealAddress(wanted.target, identity.migrationId, key);
  return { ...wanted, ...identity, source, target };
}

async function sealAddress(
  address: ClearAddress,
  migrationId: string,
  key: () => Promise<Buffer>,
): Promise<ServerAddress> {
  const { password } = address;
  if (password.kind !== 'clear') return { ...address, password };
  return { ...address, password: seal(password.text, await key(), migrationId) };
}

/** An option given as undefined is one not given: it must not hide the default. */
function given<T extends object>(options: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
