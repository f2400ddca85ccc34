import type { Client } from 'pg';
import { isGivenAway } from '../catalog';
import { quoteIdentifier, quoteLiteral } from '../connect';

/**
 * Every new database has a schema public, which no archive drops or gives away. Where the source dropped it, or gave it
 * to a role of its own, the target does the same if we may; what we may not, the comparison does not ask for.
 */
export async function alignPublicSchema(
  source: Client,
  target: Client,
  options: { noOwner: boolean },
): Promise<void> {
  const { rows } = await source.query<{ owner: string; chosen: boolean }>(PUBLIC_OWNER);
  const [schema] = rows;
  if (schema === undefined) return await whereAllowed(target, 'DROP SCHEMA IF EXISTS public;');
  if (options.noOwner || !schema.chosen) return;
  // whoever does not inherit the owner's rights could make nothing in it any more
  await whereAllowed(
    target,
    `IF pg_catalog.pg_has_role(${quoteLiteral(schema.owner)}, 'USAGE') THEN
       ALTER SCHEMA public OWNER TO ${quoteIdentifier(schema.owner)};
     END IF;`,
  );
}

const PUBLIC_OWNER = `
  SELECT pg_catalog.pg_get_userbyid(n.nspowner) AS owner, ${isGivenAway('n')} AS chosen
    FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'`;

async function whereAllowed(client: Client, statement: string): Promise<void> {
  // a role that the target lacks is the validation's to name
  const refused = 'insufficient_privilege OR undefined_object OR dependent_objects_still_exist';
  const body = `BEGIN ${statement} EXCEPTION WHEN ${refused} THEN NULL; END`;
  await client.query(`DO ${quoteLiteral(body)}`);
}
