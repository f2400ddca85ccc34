import type { Concurrency, MigrationRequest } from '../../contract';
import type { ServerSize } from './server-size';
import { sessionsOf } from './sessions-of';

export interface ServerSizes {
  source: ServerSize;
  target: ServerSize;
}

/** Where a server's CPUs are not known: as if it had so many. */
const UNKNOWN_CPUS = { forCopies: 2, forIndexes: 4 };
const MOST: Pick<Concurrency, 'copiesAtOnce' | 'indexesAtOnce'> = { copiesAtOnce: 8, indexesAtOnce: 4 };

/**
 * How much goes on at a time, as far as the request leaves it open: two copies for each CPU of the smaller server (one works
 * while the other waits for its disk or the network), half as many where the target has standbys, each of which replays by
 * a single process what all of them write; one index for each two of the target's (the server's own parallel workers use
 * the others); and less where the connections that are free would not do.
 */
export function chooseConcurrency(
  { limits, openLimits = [], mode }: Pick<MigrationRequest, 'limits' | 'openLimits' | 'mode'>,
  databases: number,
  { source, target }: ServerSizes,
): Concurrency {
  const { databasesAtOnce: atOnce, copiesAtOnce, indexesAtOnce } = limits;
  const chosen: Concurrency = { databasesAtOnce: atOnce, copiesAtOnce, indexesAtOnce };
  const smaller = Math.min(...[source, target].map(({ cpus }) => cpus ?? UNKNOWN_CPUS.forCopies));
  const copies = between(2, 2 * smaller, MOST.copiesAtOnce);
  const byCpus = {
    copiesAtOnce: target.standbys > 0 ? copies / 2 : copies,
    indexesAtOnce: between(2, Math.ceil((target.cpus ?? UNKNOWN_CPUS.forIndexes) / 2), MOST.indexesAtOnce),
  };
  for (const name of ['copiesAtOnce', 'indexesAtOnce'] as const) {
    if (openLimits.includes(name)) chosen[name] = byCpus[name];
  }
  const fits = () => {
    // a throttle may be lifted later
    const loading = Math.min(chosen.databasesAtOnce, databases);
    const used = sessionsOf(chosen, { mode, databases, loading });
    return used.source <= source.freeConnections && used.target <= target.freeConnections;
  };
  for (const name of ['copiesAtOnce', 'databasesAtOnce', 'indexesAtOnce'] as const) {
    while (openLimits.includes(name) && chosen[name] > 1 && !fits()) chosen[name] -= 1;
  }
  return chosen;
}

function between(least: number, value: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
