import type { Run } from '../../../activities/support/run';
import type { MigrationMode } from '../../../contract';
import { withConnection, type Side } from '../../../postgres/connect';
import { Pace } from '../../../postgres/copy';
import { testRequest } from '../../support/migration';
import { testAddress, testEndpoint } from '../../support/servers';
import { identity, type Pair } from './fixture';

const PATIENCE = 30_000;

/** What a step has at hand in a worker, between the pair's servers. */
export function stepRun({ majors }: Pair, activity: string, mode: MigrationMode): Run {
  const prefix = `flexlift:${identity.migrationId}:${activity}:retry:`;
  const signal = AbortSignal.timeout(PATIENCE);
  const endpoint = (side: Side) => testEndpoint(majors[side], side, `${prefix}1`);
  return {
    request: testRequest(testAddress(majors.source), testAddress(majors.target), { mode }),
    identity,
    signal,
    attempt: 2,
    workPrefix: prefix,
    activityPrefix: prefix,
    endpoint,
    session: (side, database, work) => withConnection(endpoint(side), database, signal, work),
    sessions: () => Promise.reject(new Error('no rows are copied by these')),
    paced: (work) => work(new Pace(() => undefined)),
    progress: () => undefined,
  };
}
