import type { Throttle } from './throttle';

/** What a migration is asked to do. Plain JSON: it is the workflow's argument and stands in its history. */

/** Azure's own words for the same things. */
export type MigrationMode = 'Offline' | 'Online';
export type MigrationOption = 'Validate' | 'Migrate' | 'ValidateAndMigrate';
export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/**
 * Where a password is found. Never the password: the worker resolves it at every connect.
 * - `none`: the server asks for none;
 * - `env`: an environment variable of the worker;
 * - `file`: a file on the worker's host, its first line;
 * - `pgpass`: the worker's `PGPASSFILE` or `~/.pgpass`;
 * - `sealed`: encrypted by the client, opened by a worker that has the key (AES-256-GCM; the migration's id is the
 *   additional data, so that it opens nothing elsewhere). All parts base64.
 */
export type PasswordReference =
  | { kind: 'none' }
  | { kind: 'env'; name: string }
  | { kind: 'file'; path: string }
  | { kind: 'pgpass' }
  | { kind: 'sealed'; keyId: string; iv: string; tag: string; ciphertext: string };

/** One PostgreSQL server, as the worker reaches it. */
export interface ServerAddress {
  /** Host name, IP address, or the directory of a Unix socket. */
  host: string;
  port: number;
  user: string;
  /** The database for work on the server as a whole. Default `postgres`. */
  maintenanceDatabase: string;
  password: PasswordReference;
  sslMode: SslMode;
  /** PEM file on the worker's host with the authority's certificates. Default: the system's. */
  sslRootCert?: string;
}

/** How much goes on at a time. By default chosen by the servers, when they are validated. */
export interface Concurrency {
  /** Databases loaded at the same time. Default 2, less where too few connections are free. */
  databasesAtOnce: number;
  /**
   * Copies (parts or groups) in flight per database. Default 2 for each CPU of the smaller server, 2 to 8; a server whose CPUs are
   * not known counts as one of 2. Half as many where other servers receive the target's WAL.
   */
  copiesAtOnce: number;
  /** Index and constraint builds in flight per database. Default 1 for 2 CPUs of the target, 2 to 4. */
  indexesAtOnce: number;
}

export interface MigrationLimits extends Concurrency {
  /**
   * A table larger than this is copied in parts of about this size, bytes. Default 4 GiB: a part is what a crash costs, but
   * only a table in one part, of 128 kB or more, is copied frozen, and parts of one table wait for each other to extend it.
   * A table of 64 MiB or more, most of it in TOAST, that is more of its database than one of `copiesAtOnce` is copied in two
   * parts at least, for one session reads or stores a value while the other waits for its own; not where a row has more
   * than 256 MiB.
   */
  partBytes: number;
  /** A group of small tables holds at most so many bytes. Default 256 MiB. */
  groupBytes: number;
  /** A group of small tables holds at most so many tables. Default 500. */
  groupTables: number;
}

/** All in milliseconds. */
export interface MigrationTimeouts {
  /** To open one connection. Default 10 s. */
  connect: number;
  /** A server that has sent nothing for so long, though it was asked, is looked after, then given up. Default 1 min. */
  silence: number;
  /** For a short statement's activity. Default 5 min. */
  short: number;
  /** For one attempt of a long activity (copy, index, compare). Default 7 days. */
  long: number;
  /** A long activity that stays silent for so long is given to another worker. Default 30 s. */
  heartbeat: number;
  /** How long validation may retry what passes by itself before it says what is wrong. Default 30 s. */
  validation: number;
  /** How long the source's tables may be waited for before the lock attempt is given up and tried anew. Default 5 s. */
  lock: number;
  /** How long the applier works before its figures go into the history. Default 5 min. */
  segment: number;
  /** How often a table that changed is proven anew while changes are applied. Default 15 min. */
  proof: number;
  /** How often the source's schema, slot and settings are looked at while changes are applied. Default 15 s. */
  watch: number;
  /** First pause before a retry. Default 1 s. */
  retryInitial: number;
  /** Longest pause before a retry. Default 1 min. */
  retryMaximum: number;
}

/**
 * What an online migration may do to tables of the source that have no key:
 * - `append`: nothing; their INSERT and TRUNCATE are replicated, and where their rows are updated or deleted meanwhile,
 *   the table is copied anew at the cutover;
 * - `full`: they get REPLICA IDENTITY FULL until the end, so that all their changes are replicated. Each change of such a
 *   table then costs the source the whole old row in its WAL, and the target a search.
 */
export type KeylessTables = 'append' | 'full';

/** What becomes of a target database when its migration is cancelled. */
export type OnCancel = 'keep-target' | 'drop-target';

export interface MigrationRequest {
  /** Version of this shape. */
  version: 1;
  /** 12 lower-case hex digits. All that the migration makes anywhere carries it. */
  migrationId: string;
  /** 1 for the first run of this migration; a run that follows a failed one has the next number. */
  generation: number;
  /** What a person calls it; unique per target server. */
  name: string;
  mode: MigrationMode;
  option: MigrationOption;
  source: ServerAddress;
  target: ServerAddress;
  /** Databases to migrate; absent: all user databases of the source. */
  databases?: string[];
  /** Replace a target database that exists and is not empty. Default false. */
  overwrite: boolean;
  /** Objects belong to the target's user instead of their owners on the source. Default false. */
  noOwner: boolean;
  /** Leave out GRANT, REVOKE and default privileges. Default false. */
  noPrivileges: boolean;
  /** Prove equality before success. False ends as `SucceededUnverified`. Default true. */
  compare: boolean;
  onCancel: OnCancel;
  /** Online only. Default `append`. */
  keylessTables: KeylessTables;
  limits: MigrationLimits;
  /** Of the limits those that nobody has set: they are chosen by the servers. Absent: none. */
  openLimits?: (keyof Concurrency)[];
  /** As it was at the beginning. Absent: no bounds. */
  throttle?: Throttle;
  timeouts: MigrationTimeouts;
  /** The Temporal server knows flexlift's search attributes; else the migration goes on without them. Default true. */
  searchAttributes: boolean;
  /** Names the workers that serve this migration (`--pool`). Default `default`. */
  pool: string;
}

export const DEFAULT_LIMITS: MigrationLimits = {
  databasesAtOnce: 2,
  copiesAtOnce: 4,
  indexesAtOnce: 2,
  partBytes: 4 * 1024 ** 3,
  groupBytes: 256 * 1024 ** 2,
  groupTables: 500,
};

export const DEFAULT_TIMEOUTS: MigrationTimeouts = {
  connect: 10_000,
  silence: 60_000,
  short: 5 * 60_000,
  long: 7 * 24 * 3_600_000,
  heartbeat: 30_000,
  validation: 30_000,
  lock: 5_000,
  segment: 5 * 60_000,
  proof: 15 * 60_000,
  watch: 15_000,
  retryInitial: 1_000,
  retryMaximum: 60_000,
};
