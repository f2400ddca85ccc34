import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { proveTables, type ProveTablesArguments } from '../../../postgres/prove';
import { eventually } from '../../support/eventually';
import { testEndpoint } from '../../support/servers';
import type { ReplicationFixture } from '../replicate/applier-fixture';

export const PROVER = 'flexlift-prover-of-test';

export async function prove(
  fixture: ReplicationFixture,
  tables: string[],
  options: Partial<ProveTablesArguments> = {},
) {
  const { majors, database, identity } = fixture;
  const tableOids: number[] = [];
  for (const table of tables) tableOids.push(await fixture.oidOf(table));
  return await proveTables({
    source: testEndpoint(majors.source, 'source', PROVER),
    target: testEndpoint(majors.target, 'target', PROVER),
    database,
    identity,
    migrationId: identity.migrationId,
    tableOids,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...options,
  });
}

export interface RequestRow {
  request: number;
  state: string;
}

export async function newestRequest(client: Client): Promise<RequestRow | undefined> {
  const { rows } = await client.query<RequestRow>(
    'SELECT request, state FROM flexlift.proof_request ORDER BY request DESC LIMIT 1',
  );
  return rows[0];
}

/** Waits until the prover has come to a state of its request. */
export async function requestIn(client: Client, state: string): Promise<RequestRow> {
  return await eventually(`a request ${state}`, async () => {
    const newest = await newestRequest(client);
    return newest?.state === state && newest;
  });
}

/** Ends the prover's sessions, as the end of its worker does. */
export async function killProver(fixture: ReplicationFixture): Promise<void> {
  for (const side of [fixture.source, fixture.target]) {
    await side.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = $1 AND datname = current_database()`,
      [PROVER],
    );
  }
}

/** Runs statements on the source, one transaction each, until it is stopped; says how many. */
export async function startWriter(
  fixture: ReplicationFixture,
  statement: (round: number) => string,
): Promise<{ stop(): Promise<number> }> {
  const client = await fixture.session('source');
  let stopped = false;
  const loop = (async () => {
    let round = 0;
    for (; !stopped; round++) {
      await client.query(statement(round));
      await pause(2);
    }
    await client.end();
    return round;
  })();
  loop.catch(() => undefined);
  return {
    stop: () => {
      stopped = true;
      return loop;
    },
  };
}
