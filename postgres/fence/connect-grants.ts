import type { Client } from 'pg';
import { quoteLiteral } from '../connect';
import { sqlStateOf } from '../database';
import type { Fence } from './fence';
import { fenceRefused } from './refused';

type ConnectGrant = Fence['connect'][number];

/** All grants of CONNECT but the owner's own, each behind that which gave its grantor the right to it. */
export async function readConnectGrants(client: Client): Promise<ConnectGrant[]> {
  const { rows } = await client.query<ConnectGrant & { owner: number }>(
    `SELECT entry.grantee, entry.grantor, entry.is_grantable AS grantable, d.datdba AS owner
       FROM pg_catalog.pg_database d
      CROSS JOIN LATERAL pg_catalog.aclexplode(
              COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS entry
      WHERE d.datname = pg_catalog.current_database() AND entry.privilege_type = 'CONNECT'
        AND NOT (entry.grantee = d.datdba AND entry.grantor = d.datdba)
      ORDER BY entry.grantor, entry.grantee`,
  );
  const ordered: ConnectGrant[] = [];
  const mayGrant = new Set(rows.map((row) => row.owner));
  let waiting = rows.map(({ grantee, grantor, grantable }) => ({ grantee, grantor, grantable }));
  while (waiting.length > 0) {
    const ready = waiting.filter((grant) => mayGrant.has(grant.grantor));
    if (ready.length === 0) break;
    ordered.push(...ready);
    for (const grant of ready) if (grant.grantable) mayGrant.add(grant.grantee);
    waiting = waiting.filter((grant) => !ready.includes(grant));
  }
  return [...ordered, ...waiting];
}

/**
 * Leaves CONNECT to the owner, and with it to us and to superusers, who need no grant.
 *
 * @throws FlexliftError CutoverRefused where it could not be restored as it was, or we would lock ourselves out
 */
export async function revokeConnect(client: Client, grants: ConnectGrant[]): Promise<void> {
  for (const grantor of new Set(grants.map((grant) => grant.grantor))) await probeGrantor(client, grantor);
  for (const grantee of new Set(grants.map((grant) => grant.grantee))) {
    const name =
      grantee === 0 ? `'PUBLIC'` : `pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(${grantee}))`;
    const statement = `pg_catalog.format('REVOKE CONNECT ON DATABASE %I FROM ', pg_catalog.current_database()) || ${name} || ' CASCADE'`;
    await client.query(`DO ${quoteLiteral(`BEGIN EXECUTE ${statement}; END`)}`);
  }
  const { rows } = await client.query<{ may: boolean }>(
    `SELECT pg_catalog.has_database_privilege(session_user, d.oid, 'CONNECT') AS may
       FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`,
  );
  if (rows[0]?.may === true) return;
  throw fenceRefused(
    client,
    "The user of this migration may connect only by a grant that the fence would take away, since the database's owner has no right to connect.",
    'Grant CONNECT on the database to its owner, or cut over with --fence read-only.',
  );
}

/** What another role than the owner granted can be granted again only in that role's name. */
async function probeGrantor(client: Client, grantor: number): Promise<void> {
  const { rows } = await client.query<{ name: string; owns: boolean }>(
    `SELECT pg_catalog.pg_get_userbyid($1) AS name, datdba = $1 AS owns
       FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
    [grantor],
  );
  const [row] = rows;
  if (row === undefined || row.owns) return;
  const body = `BEGIN EXECUTE pg_catalog.format('SET LOCAL ROLE %I', pg_catalog.pg_get_userbyid(${grantor})); SET LOCAL ROLE NONE; END`;
  try {
    await client.query(`DO ${quoteLiteral(body)}`);
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error;
    throw fenceRefused(
      client,
      `Role ${JSON.stringify(row.name)} granted CONNECT to others, which only it could restore.`,
      `Make the user of this migration a member of that role, or cut over with --fence read-only.`,
    );
  }
}
