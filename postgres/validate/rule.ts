import type { Client } from 'pg';
import type { FindingState, MigrationMode, MigrationRequest } from '../../contract';
import type { DatabaseProperties, ServerVersion } from '../catalog';
import type { Endpoint } from '../connect';
import type { ServerSizes } from './concurrency';

/** A finding before the runner adds the rule's name and the database. */
export interface Verdict {
  state: FindingState;
  /** One sentence. */
  message: string;
  /** One sentence; absent where it succeeded. */
  remedy?: string;
}

/**
 * One thing that must hold, or that a person should know, before anything is changed. A check reads and never writes:
 * its sessions are read-only.
 */
export interface Rule<Context> {
  /** Stable; part of `--json` output. */
  id: string;
  /** The only mode in which it is checked; absent: both. */
  mode?: MigrationMode;
  /** The sentence of the finding where `check` found nothing to say. */
  holds: string;
  check: (context: Context) => Promise<Verdict[]>;
}

/** Finds a pg_dump for this pair of majors, or throws a FlexliftError ClientToolFailed. */
export type FindPgDump = (majors: { sourceMajor: number; targetMajor: number }) => Promise<unknown>;

/** One server and its session in the maintenance database. */
export interface ServerSide {
  endpoint: Endpoint;
  client: Client;
  version: ServerVersion;
  user: ServerUser;
}

export interface ServerUser {
  name: string;
  superuser: boolean;
  createDatabase: boolean;
}

export interface ServerContext {
  /** With the concurrency that was chosen. */
  request: MigrationRequest;
  source: ServerSide;
  target: ServerSide;
  /** Those to migrate. */
  databases: string[];
  sizes: ServerSizes;
  /** Those to migrate that the source does not have. */
  missing: string[];
  /** Chosen by nobody, for they take no connections or are templates. */
  closed: string[];
  /** Those that an earlier run has released. */
  released: string[];
  findPgDump: FindPgDump;
}

export interface DatabaseContext {
  request: MigrationRequest;
  database: string;
  source: ServerSide;
  target: ServerSide;
  /** A session in the source's database. */
  sourceClient: Client;
  /** A session in the target's database; absent where it does not exist. */
  targetClient?: Client;
  properties: DatabaseProperties;
}

export function failed(message: string, remedy: string): Verdict {
  return { state: 'Failed', message, remedy };
}

export function warning(message: string, remedy: string): Verdict {
  return { state: 'Warning', message, remedy };
}

export function succeeded(message: string): Verdict {
  return { state: 'Succeeded', message };
}

export { enumerate } from '../../contract';
