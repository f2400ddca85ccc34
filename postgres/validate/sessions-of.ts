import { BESIDE_COPIES, TO_REPLICATE, type Concurrency, type MigrationMode } from '../../contract';

/** The most sessions of a migration on either server at a time. */
export function sessionsOf(
  { copiesAtOnce, indexesAtOnce }: Concurrency,
  { mode, databases, loading }: { mode: MigrationMode; databases: number; loading: number },
): { source: number; target: number } {
  const replicating = mode === 'Online' ? databases * TO_REPLICATE : 0;
  return {
    source: loading * (copiesAtOnce + BESIDE_COPIES) + replicating,
    target: loading * (Math.max(copiesAtOnce, indexesAtOnce) + BESIDE_COPIES) + replicating,
  };
}
