import type { Client } from 'pg';
import type { Run } from './run';

/** So many sessions on a database of the target that share one piece of work. */
export async function sessionsOnTarget<T>(
  run: Run,
  database: string,
  count: number,
  work: (clients: Client[]) => Promise<T>,
  opened: Client[] = [],
): Promise<T> {
  if (opened.length === count) return await work(opened);
  return await run.session('target', database, (client) =>
    sessionsOnTarget(run, database, count, work, [...opened, client]),
  );
}
