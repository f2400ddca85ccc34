import { z } from 'zod';
import type {
  KeylessTables,
  MigrationLimits,
  MigrationMode,
  MigrationOption,
  MigrationTimeouts,
  OnCancel,
  SslMode,
  Throttle,
} from '../contract';
import { checkShape } from './check-shape';
import { throttle } from './throttle-shapes';

/**
 * A server as a program names it: a connection string, or its parts, which win over those of `uri`. What neither
 * says comes from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGSSLMODE` and `PGSSLROOTCERT`.
 *
 * At most one of the passwords; with none of them the worker looks into its `PGPASSFILE` or `~/.pgpass`.
 */
export interface ServerOptions {
  /** `postgres://user@host:port/database?sslmode=…` or `host=… port=…`; a password in it is sealed. */
  uri?: string;
  host?: string;
  /** Default 5432. */
  port?: number;
  user?: string;
  /** Where flexlift works on the server as a whole; not what is migrated. Default `postgres`. */
  maintenanceDatabase?: string;
  /** Sealed before it leaves this process. */
  password?: string;
  /** An environment variable of the worker. */
  passwordEnv?: string;
  /** A file on the worker's host; its first line. */
  passwordFile?: string;
  /** Default `prefer`. */
  sslMode?: SslMode;
  /** A PEM file on the worker's host. */
  sslRootCert?: string;
}

/** What a migration is asked to do. Only `source` and `target` are needed. */
export interface MigrationOptions {
  source: string | ServerOptions;
  target: string | ServerOptions;
  /** Letters, digits, `.`, `_`, `-`, at most 100. Default: derived from source, target and databases. */
  name?: string;
  /** Default: all user databases of the source. */
  databases?: string[];
  /** Default `Offline`. */
  mode?: MigrationMode;
  /** Default `ValidateAndMigrate`. */
  option?: MigrationOption;
  /** Replace target databases that exist and are not empty. Default false. */
  overwrite?: boolean;
  /** Objects belong to the target's user instead of their owners on the source. Default false. */
  noOwner?: boolean;
  /** Leave out GRANT, REVOKE and default privileges. Default false. */
  noPrivileges?: boolean;
  /** Prove equality before success. Default true. */
  compare?: boolean;
  /** Default `keep-target`. */
  onCancel?: OnCancel;
  /** Tables without a key in an online migration. Default `append`. */
  keylessTables?: KeylessTables;
  /** Defaults: `DEFAULT_LIMITS`, and for what goes on at a time what the servers can do. */
  limits?: Partial<MigrationLimits>;
  /** What the source may be asked for at most. Default: no bound. */
  throttle?: Throttle;
  /** Milliseconds. Defaults: `DEFAULT_TIMEOUTS`. */
  timeouts?: Partial<MigrationTimeouts>;
  /** The workers that serve it. Default `default`. */
  pool?: string;
}

export type CheckedOptions = Omit<MigrationOptions, 'source' | 'target'> & {
  source: ServerOptions;
  target: ServerOptions;
};

const text = z.string().min(1, 'must not be empty');
const count = z.int('must be a whole number').min(1, 'must be at least 1');
const port = z.int('must be a whole number').min(1, 'must be 1 to 65535').max(65_535, 'must be 1 to 65535');
const label = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
    'must be letters, digits, ".", "_" and "-", at most 100 of them',
  );

const server = z.preprocess(
  (value) => (typeof value === 'string' ? { uri: value } : value),
  z.strictObject({
    uri: text.optional(),
    host: text.optional(),
    port: port.optional(),
    user: text.optional(),
    maintenanceDatabase: text.optional(),
    password: z.string().optional(),
    passwordEnv: text.optional(),
    passwordFile: text.optional(),
    sslMode: z.enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full']).optional(),
    sslRootCert: text.optional(),
  } satisfies Record<keyof ServerOptions, z.ZodType>),
);

const limits = z.strictObject({
  databasesAtOnce: count.optional(),
  copiesAtOnce: count.optional(),
  indexesAtOnce: count.optional(),
  partBytes: count.optional(),
  groupBytes: count.optional(),
  groupTables: count.optional(),
} satisfies Record<keyof MigrationLimits, z.ZodType>);

const timeouts = z.strictObject({
  connect: count.optional(),
  silence: count.optional(),
  short: count.optional(),
  long: count.optional(),
  heartbeat: count.optional(),
  validation: count.optional(),
  lock: count.optional(),
  segment: count.optional(),
  proof: count.optional(),
  watch: count.optional(),
  retryInitial: count.optional(),
  retryMaximum: count.optional(),
} satisfies Record<keyof MigrationTimeouts, z.ZodType>);

const migrationOptions = z.strictObject({
  source: server,
  target: server,
  name: label.optional(),
  databases: z
    .array(text)
    .min(1, 'must name at least one database; leave it out for all')
    .refine((names) => new Set(names).size === names.length, 'names a database twice')
    .optional(),
  mode: z.enum(['Offline', 'Online']).optional(),
  option: z.enum(['Validate', 'Migrate', 'ValidateAndMigrate']).optional(),
  overwrite: z.boolean().optional(),
  noOwner: z.boolean().optional(),
  noPrivileges: z.boolean().optional(),
  compare: z.boolean().optional(),
  onCancel: z.enum(['keep-target', 'drop-target']).optional(),
  keylessTables: z.enum(['append', 'full']).optional(),
  limits: limits.optional(),
  throttle: throttle.optional(),
  timeouts: timeouts.optional(),
  pool: label.optional(),
} satisfies Record<keyof MigrationOptions, z.ZodType>);

/** @throws RequestError, which names the first wrong field and never shows a value of `source` or `target` */
export function checkOptions(options: unknown): CheckedOptions {
  return checkShape(migrationOptions, options);
}
