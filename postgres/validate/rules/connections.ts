import {
  BESIDE_COPIES,
  databasesAtOnce,
  fewestConnections,
  shareOf,
  TO_REPLICATE,
  type MigrationRequest,
} from '../../../contract';
import { failed, warning, type Rule, type ServerContext, type ServerSide, type Verdict } from '../rule';

export const connections: Rule<ServerContext> = {
  id: 'connections',
  holds: 'Both servers have enough free connections.',
  async check({ request, source, target, databases }) {
    const { throttle, limits, mode } = request;
    const sharing = { throttle, limits, mode, databases: databases.length };
    const atOnce = Math.min(databasesAtOnce(sharing), databases.length);
    const { copiesAtOnce } = shareOf(sharing, atOnce);
    const replicating = mode === 'Online' ? databases.length * TO_REPLICATE : 0;
    const onSource = atOnce * (copiesAtOnce + BESIDE_COPIES) + replicating;
    const onTarget = atOnce * (Math.max(copiesAtOnce, limits.indexesAtOnce) + BESIDE_COPIES) + replicating;
    return [
      ...tooFew(request, databases.length),
      ...(await checkServer(source, onSource)),
      ...(await checkServer(target, onTarget)),
    ];
  },
};

function tooFew({ mode, throttle: { maxConnections } }: MigrationRequest, databases: number): Verdict[] {
  const fewest = fewestConnections(mode, databases);
  if (maxConnections === undefined || maxConnections >= fewest) return [];
  return [
    failed(
      `With ${maxConnections} sessions on the source the migration cannot go on: it needs ${fewest}.`,
      `Give --max-connections ${fewest} or more, or leave it out.`,
    ),
  ];
}

async function checkServer(side: ServerSide, needed: number): Promise<Verdict[]> {
  const free = await freeConnections(side);
  const name = side.endpoint.side;
  const remedy = `Lower --copies, or raise max_connections or the user's connection limit on the ${name}.`;
  if (free <= BESIDE_COPIES) {
    return [failed(`The ${name} has ${free} free connections for this user; ${needed} are wanted.`, remedy)];
  }
  if (free >= needed) return [];
  return [
    warning(`The ${name} has ${free} free connections for this user; up to ${needed} are wanted.`, remedy),
  ];
}

/** What `max_connections` and the role's own limit leave; our own sessions of now will be free by then. */
async function freeConnections({ client, user }: ServerSide): Promise<number> {
  const { rows } = await client.query<{ free: number }>(
    `WITH session AS (SELECT usesysid, application_name FROM pg_catalog.pg_stat_activity
                       WHERE usesysid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid())
     SELECT LEAST(
              limits.total - (SELECT pg_catalog.count(*) FROM session),
              CASE WHEN me.rolconnlimit >= 0 AND NOT me.rolsuper
                   THEN me.rolconnlimit - (SELECT pg_catalog.count(*) FROM session WHERE usesysid = me.oid)
              END)::integer AS free
       FROM pg_catalog.pg_roles me,
            (SELECT pg_catalog.sum(setting::integer *
                      CASE WHEN name = 'max_connections' THEN 1 WHEN $2 THEN 0 ELSE -1 END) AS total
               FROM pg_catalog.pg_settings
              WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
            ) AS limits
      WHERE me.rolname = $1`,
    [user.name, user.superuser],
  );
  return rows[0]?.free ?? 0;
}
