import type { Concurrency, MigrationMode } from './request';

/** What a migration may ask of its source at most. A person may change it while the migration runs. */
export interface Throttle {
  /** Bytes a second of rows and large objects that are loaded, of all databases together. Absent: as fast as they come. */
  maxRate?: number;
  /** Sessions on the source, of all databases together. Absent: as many as the limits come to. */
  maxConnections?: number;
}

/** The argument of the update; null takes a bound away, what is absent stays as it is. */
export interface ThrottleRequest {
  maxRate?: number | null;
  maxConnections?: number | null;
}

/** One database's share. */
export interface ThrottleShare {
  /** Copies in flight; see `Concurrency`. */
  copiesAtOnce: number;
  bytesPerSecond?: number;
}

/**
 * Sessions on the source per copy: online a table's own keeper is one, and two more stand by while it takes its snapshot.
 */
export const SESSIONS_PER_COPY: Record<MigrationMode, number> = { Offline: 1, Online: 4 };
/** Sessions on the source per database, beside its copies: keeper, lock, schema dump. */
export const BESIDE_COPIES = 3;
/** Online, for each database until its cutover: walsender, watch, prover. */
export const TO_REPLICATE = 3;

/** With fewer sessions on the source a migration of so many databases comes to no end. */
export function fewestConnections(mode: MigrationMode, databases: number): number {
  return SESSIONS_PER_COPY[mode] + BESIDE_COPIES + (mode === 'Online' ? databases * TO_REPLICATE : 0);
}

/** What is wrong with a bound, one sentence; `undefined`: the migration can go on with it. */
export function tooFewConnections(
  maxConnections: number | null | undefined,
  fewest: number,
): string | undefined {
  if (typeof maxConnections !== 'number' || maxConnections >= fewest) return undefined;
  return `With ${maxConnections} sessions on the source the migration cannot go on: it needs ${fewest}.`;
}

interface Sharing {
  throttle: Throttle | undefined;
  limits: Concurrency;
  mode: MigrationMode;
  /** All of the migration's. */
  databases: number;
}

/** How many databases may load at a time. */
export function databasesAtOnce({ throttle, limits, mode, databases }: Sharing): number {
  const left = connectionsToLoad({ throttle, mode, databases });
  return Math.max(
    1,
    Math.min(limits.databasesAtOnce, Math.floor(left / (SESSIONS_PER_COPY[mode] + BESIDE_COPIES))),
  );
}

/** The share of each of those that load now. */
export function shareOf(sharing: Sharing, loading: number): ThrottleShare {
  const { throttle, limits, mode } = sharing;
  const atOnce = Math.max(1, loading);
  const connections = Math.floor(connectionsToLoad(sharing) / atOnce) - BESIDE_COPIES;
  const copies = Math.floor(connections / SESSIONS_PER_COPY[mode]);
  return {
    copiesAtOnce: Math.max(1, Math.min(limits.copiesAtOnce, copies)),
    bytesPerSecond: throttle?.maxRate === undefined ? undefined : throttle.maxRate / atOnce,
  };
}

function connectionsToLoad({ throttle, mode, databases }: Omit<Sharing, 'limits'>): number {
  return (throttle?.maxConnections ?? Infinity) - (mode === 'Online' ? databases * TO_REPLICATE : 0);
}
