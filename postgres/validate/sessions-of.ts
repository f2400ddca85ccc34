import {
  BESIDE_COPIES,
  SESSIONS_PER_COPY,
  TO_REPLICATE,
  type Concurrency,
  type MigrationMode,
} from '../../contract';

/** Its copy's, and online its keeper's. */
const TARGET_SESSIONS_PER_COPY: Record<MigrationMode, number> = { Offline: 1, Online: 2 };

/** The most sessions of a migration on either server at a time. */
export function sessionsOf(
  { copiesAtOnce, indexesAtOnce }: Concurrency,
  { mode, databases, loading }: { mode: MigrationMode; databases: number; loading: number },
): { source: number; target: number } {
  const replicating = mode === 'Online' ? databases * TO_REPLICATE : 0;
  const copying = copiesAtOnce * TARGET_SESSIONS_PER_COPY[mode];
  return {
    source: loading * (copiesAtOnce * SESSIONS_PER_COPY[mode] + BESIDE_COPIES) + replicating,
    target: loading * (Math.max(copying, indexesAtOnce) + BESIDE_COPIES) + replicating,
  };
}
