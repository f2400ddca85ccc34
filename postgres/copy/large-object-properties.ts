import type { Client } from 'pg';
import { isProviders, isProvidersRole } from '../catalog';
import { atSide, quoteIdentifier, quoteLiteral } from '../connect';
import type { LargeObjectRange } from './large-object-batches';

interface PropertiesRow {
  oid: number;
  owner: string;
  comment: string | null;
  /** Null where nothing was ever granted or revoked. */
  grants: { grantee: string | null; privilege: string; grantable: boolean }[] | null;
}

export interface PropertyChoice {
  /** The objects stay with the target's user. */
  noOwner: boolean;
  /** Nothing is granted. */
  noPrivileges: boolean;
}

const PROPERTIES_QUERY = `
  SELECT m.oid, pg_catalog.pg_get_userbyid(m.lomowner) AS owner,
        pg_catalog.obj_description(m.oid, 'pg_largeobject') AS comment,
        CASE WHEN m.lomacl IS NOT NULL THEN COALESCE(
          (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                    'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
                    'privilege', a.privilege_type, 'grantable', a.is_grantable))
             FROM pg_catalog.aclexplode(m.lomacl) a
            WHERE a.grantee = m.lomowner OR NOT ${isProvidersRole('a.grantee')}), '[]') END AS grants
   FROM pg_catalog.pg_largeobject_metadata m
  WHERE m.oid = ANY ($1::oid[])
  ORDER BY m.oid`;

/** Sum of a 64-bit hash over owner, comment and privileges of each object of the range; equal where they need no copy. */
export async function largeObjectPropertiesChecksum(
  client: Client,
  { after, upTo }: LargeObjectRange,
  { noOwner, noPrivileges }: PropertyChoice,
): Promise<string> {
  const { rows } = await client.query<{ checksum: string }>(PROPERTIES_CHECKSUM, [
    after,
    upTo,
    !noOwner,
    !noPrivileges,
  ]);
  return rows[0]?.checksum ?? '0';
}

const PROPERTIES_CHECKSUM = `
  SELECT COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(
           pg_catalog.concat_ws(':', m.oid, CASE WHEN $3 THEN pg_catalog.pg_get_userbyid(m.lomowner) END,
             'comment', pg_catalog.obj_description(m.oid, 'pg_largeobject'),
             'granted', CASE WHEN $4 AND m.lomacl IS NOT NULL THEN COALESCE((
               SELECT pg_catalog.string_agg(held, ',' ORDER BY held)
                 FROM (SELECT pg_catalog.concat_ws(' ',
                                CASE a.grantee WHEN 0 THEN 'PUBLIC' WHEN m.lomowner THEN 'its owner'
                                               ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
                                a.privilege_type, a.is_grantable) COLLATE "C" AS held
                         FROM pg_catalog.aclexplode(m.lomacl) a
                        WHERE a.grantee = m.lomowner OR NOT ${isProvidersRole('a.grantee')}) AS grants), 'to nobody') END)
           COLLATE "C", 0)), 0)::text AS checksum
    FROM pg_catalog.pg_largeobject_metadata m
   WHERE ($1::oid IS NULL OR m.oid > $1) AND ($2::oid IS NULL OR m.oid <= $2)`;

/** Owner, comment and privileges of the objects; one statement for all that have any. */
export async function copyLargeObjectProperties(
  { source, target }: { source: Client; target: Client },
  oids: number[],
  choice: PropertyChoice,
): Promise<void> {
  const { rows } = await atSide('source', source, () =>
    source.query<PropertiesRow>(PROPERTIES_QUERY, [oids]),
  );
  const owner = await currentUser(target);
  const statements = rows.flatMap((row) => propertyStatements(row, choice, owner));
  if (statements.length > 0) await target.query(statements.join(';\n'));
}

async function currentUser(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string }>('SELECT current_user AS name');
  return rows[0]?.name ?? '';
}

/** The owner changes last: afterwards the privileges may not be ours to grant. */
function propertyStatements(row: PropertiesRow, choice: PropertyChoice, creator: string): string[] {
  const object = `LARGE OBJECT ${row.oid}`;
  const statements: string[] = [];
  if (row.comment !== null) statements.push(`COMMENT ON ${object} IS ${quoteLiteral(row.comment)}`);
  if (row.grants !== null && !choice.noPrivileges) {
    // what the owner holds follows the object to its next owner
    const roleOf = (name: string) => quoteIdentifier(name === row.owner ? creator : name);
    statements.push(`REVOKE ALL ON ${object} FROM ${quoteIdentifier(creator)}`);
    for (const { grantee, privilege, grantable } of row.grants) {
      const role = grantee === null ? 'PUBLIC' : roleOf(grantee);
      statements.push(`GRANT ${privilege} ON ${object} TO ${role}${grantable ? ' WITH GRANT OPTION' : ''}`);
    }
  }
  if (!choice.noOwner && row.owner !== creator && !isProviders(row.owner)) {
    statements.push(`ALTER ${object} OWNER TO ${quoteIdentifier(row.owner)}`);
  }
  return statements;
}
