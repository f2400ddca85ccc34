import type { Client } from 'pg';
import { someUserObject } from '../../catalog';
import { quoteIdentifier } from '../../connect';
import { findDatabase } from '../../database';
import { enumerate, failed, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';
import { readSourceRoles } from '../source-roles';

export const targetRights: Rule<DatabaseContext> = {
  id: 'target-rights',
  holds: "The target's user may make everything that is migrated.",
  async check(context) {
    return [
      ...(await standby(context)),
      ...(await makingTheDatabase(context)),
      ...(await actingForRoles(context)),
      ...(await creatingInPublic(context)),
    ];
  },
};

async function standby({ target }: DatabaseContext): Promise<Verdict[]> {
  const { rows } = await target.client.query<{ standby: boolean }>(
    'SELECT pg_catalog.pg_is_in_recovery() AS standby',
  );
  if (rows[0]?.standby !== true) return [];
  return [failed('The target is a standby and takes no writes.', 'Name its primary, or promote it.')];
}

async function makingTheDatabase(context: DatabaseContext): Promise<Verdict[]> {
  const { request, database, target, targetClient } = context;
  if (target.user.superuser) return [];
  const replaced =
    targetClient !== undefined && request.overwrite && (await someUserObject(targetClient)) !== undefined;
  if (targetClient !== undefined && !replaced) return await usingTheDatabase(context, targetClient);
  if (!target.user.createDatabase) {
    return [
      failed(
        "The target's user may not create databases.",
        `Run on the target: ALTER ROLE ${quoteIdentifier(target.user.name)} CREATEDB.`,
      ),
    ];
  }
  const existing = await findDatabase(target.client, database);
  if (existing === undefined || existing.owned) return [];
  return [
    failed(
      "The target's user may not drop the target database, for it is another's.",
      'Migrate as its owner, or drop it yourself.',
    ),
  ];
}

async function usingTheDatabase(
  { database, target }: DatabaseContext,
  targetClient: Client,
): Promise<Verdict[]> {
  const user = quoteIdentifier(target.user.name);
  const name = quoteIdentifier(database);
  const rights = await readRights(targetClient);
  if (!rights.createSchemas) {
    return [
      failed(
        "The target's user may not create schemas in the target database.",
        `Run on the target: GRANT CREATE ON DATABASE ${name} TO ${user}.`,
      ),
    ];
  }
  if (!rights.createInPublic) {
    return [
      failed(
        "The target's user may not create objects in schema public of the target database.",
        `Run in the target database: GRANT CREATE ON SCHEMA public TO ${user}.`,
      ),
    ];
  }
  if (rights.owns) return [];
  return [
    warning(
      "The target's user does not own the target database: its comment, settings, rights and owner stay as they are.",
      `Run on the target, if they are to be migrated: ALTER DATABASE ${name} OWNER TO ${user}.`,
    ),
  ];
}

interface Rights {
  createSchemas: boolean;
  createInPublic: boolean;
  owns: boolean;
}

async function readRights(client: Client): Promise<Rights> {
  const { rows } = await client.query<Rights>(
    `SELECT pg_catalog.has_database_privilege(d.oid, 'CREATE') AS "createSchemas",
            COALESCE((SELECT pg_catalog.has_schema_privilege(n.oid, 'CREATE')
                        FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'), true) AS "createInPublic",
            pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owns
       FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`,
  );
  return rows[0] ?? { createSchemas: false, createInPublic: false, owns: false };
}

/**
 * ALTER … OWNER TO a role and ALTER DEFAULT PRIVILEGES FOR it take its membership, from 16 on with SET; to write to its
 * tables afterwards takes its rights.
 */
async function actingForRoles({ request, sourceClient, target }: DatabaseContext): Promise<Verdict[]> {
  if (target.user.superuser) return [];
  const roles = await readSourceRoles(sourceClient);
  const needed = [
    ...(request.noOwner ? [] : roles.owners),
    ...(request.noPrivileges ? [] : roles.defaultPrivileges),
  ];
  const right = target.version.major >= 16 ? 'SET' : 'MEMBER';
  const { rows } = await target.client.query<{ rolname: string }>(
    `SELECT rolname FROM pg_catalog.pg_roles
      WHERE rolname = ANY ($1) AND NOT (pg_catalog.pg_has_role(oid, $2) AND pg_catalog.pg_has_role(oid, 'USAGE'))
      ORDER BY rolname`,
    [needed, right],
  );
  const [first] = rows;
  if (first === undefined) return [];
  const names = rows.map((row) => quoteIdentifier(row.rolname));
  const options = target.version.major >= 16 ? ' WITH INHERIT TRUE, SET TRUE' : '';
  return [
    failed(
      `The target's user is not a member of roles that own objects or set default privileges, or has not their rights: ${enumerate(names)}.`,
      `Run on the target: GRANT ${quoteIdentifier(first.rolname)} TO ${quoteIdentifier(target.user.name)}${options}, and so on; or use --no-owner and --no-privileges.`,
    ),
  ];
}

/** From 15 on who owns a database may create in schema public, by pg_database_owner, which a managed server may not give it to. */
async function creatingInPublic(context: DatabaseContext): Promise<Verdict[]> {
  const { request, sourceClient, target, targetClient } = context;
  if (request.noOwner) return [];
  const source = await sourceClient.query<{ owner: string }>(
    `SELECT pg_catalog.pg_get_userbyid(d.datdba) AS owner
       FROM pg_catalog.pg_database d, pg_catalog.pg_namespace n
      WHERE d.datname = pg_catalog.current_database() AND n.nspname = 'public'
        AND pg_catalog.pg_get_userbyid(n.nspowner) = 'pg_database_owner'`,
  );
  const [database] = source.rows;
  if (database === undefined) return [];
  // a new database's schema is as the others'
  const { rows } = await (targetClient ?? target.client).query<{ owner: string }>(
    `SELECT pg_catalog.pg_get_userbyid(n.nspowner) AS owner
       FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.rolname = $1
      WHERE n.nspname = 'public' AND pg_catalog.pg_get_userbyid(n.nspowner) <> 'pg_database_owner'
        AND NOT pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')`,
    [database.owner],
  );
  const [schema] = rows;
  if (schema === undefined) return [];
  const role = quoteIdentifier(database.owner);
  return [
    warning(
      `On the target schema public belongs to ${quoteIdentifier(schema.owner)}: ${role}, who owns the database, may create nothing in it there.`,
      `Run in the target database after the migration: GRANT ALL ON SCHEMA public TO ${role}.`,
    ),
  ];
}
