import {
  BESIDE_COPIES,
  databasesAtOnce,
  fewestConnections,
  shareOf,
  tooFewConnections,
  type MigrationRequest,
} from '../../../contract';
import type { Side } from '../../connect';
import { failed, warning, type Rule, type ServerContext, type Verdict } from '../rule';
import { sessionsOf } from '../sessions-of';

export const connections: Rule<ServerContext> = {
  id: 'connections',
  holds: 'Both servers have enough free connections.',
  check({ request, sizes, databases: { length: databases } }) {
    const { throttle, limits, mode } = request;
    const sharing = { throttle, limits, mode, databases };
    const loading = Math.min(databasesAtOnce(sharing), databases);
    const used = sessionsOf({ ...limits, ...shareOf(sharing, loading) }, { mode, databases, loading });
    return Promise.resolve([
      ...tooFew(request, databases),
      ...checkServer('source', { free: sizes.source.freeConnections, needed: used.source }),
      ...checkServer('target', { free: sizes.target.freeConnections, needed: used.target }),
    ]);
  },
};

function tooFew({ mode, throttle }: MigrationRequest, databases: number): Verdict[] {
  const fewest = fewestConnections(mode, databases);
  const sentence = tooFewConnections(throttle?.maxConnections, fewest);
  if (sentence === undefined) return [];
  return [failed(sentence, `Give --max-connections ${fewest} or more, or leave it out.`)];
}

function checkServer(name: Side, { free, needed }: { free: number; needed: number }): Verdict[] {
  const remedy = `Lower --copies, or raise max_connections or the user's connection limit on the ${name}.`;
  if (free <= BESIDE_COPIES) {
    return [failed(`The ${name} has ${free} free connections for this user; ${needed} are wanted.`, remedy)];
  }
  if (free >= needed) return [];
  return [
    warning(`The ${name} has ${free} free connections for this user; up to ${needed} are wanted.`, remedy),
  ];
}
