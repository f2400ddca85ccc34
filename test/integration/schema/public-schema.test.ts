import { randomBytes } from 'node:crypto';
import { compareCatalogs, leftToTheTarget, readCatalog } from '../../../postgres/compare';
import { quoteIdentifier } from '../../../postgres/connect';
import { runPostData, runPreData } from '../../../postgres/schema';
import { createTestDatabase, dropTestDatabase, withSession, type Major } from '../../support/servers';
import { dumpAndStore, NEVER, withTarget, type Move } from './schema-steps';

const suffix = randomBytes(3).toString('hex');
const user = `flx_public_${suffix}`;
const app = `app of 'quotes' ${suffix}`;
const MAJORS: Major[] = [14, 15, 17];

async function onAllServers(...statements: string[]): Promise<void> {
  for (const major of MAJORS) {
    await withSession(major, 'postgres', async (client) => {
      for (const statement of statements) await client.query(statement);
    });
  }
}

beforeAll(() => onAllServers(`CREATE ROLE ${user} LOGIN`, `CREATE ROLE ${quoteIdentifier(app)}`));
afterAll(() => onAllServers(`DROP ROLE ${user}`, `DROP ROLE ${quoteIdentifier(app)}`));

const GIVEN_AWAY = `ALTER SCHEMA public OWNER TO ${quoteIdentifier(app)}`;
const DROPPED = 'DROP SCHEMA public';

interface Case {
  change: string;
  majors: [Major, Major];
  targetUser: string;
  membership?: string;
  noOwner?: boolean;
  /** Who has it in the end; absent: it is gone. */
  owner?: string;
}

test.each<Case>([
  { change: GIVEN_AWAY, majors: [15, 17], targetUser: 'postgres', owner: app },
  { change: GIVEN_AWAY, majors: [14, 15], targetUser: 'postgres', owner: app },
  {
    change: GIVEN_AWAY,
    majors: [15, 17],
    targetUser: user,
    membership: 'INHERIT TRUE, SET TRUE',
    owner: app,
  },
  {
    change: GIVEN_AWAY,
    majors: [15, 17],
    targetUser: user,
    membership: 'INHERIT FALSE, SET TRUE',
    owner: 'pg_database_owner',
  },
  { change: GIVEN_AWAY, majors: [15, 17], targetUser: user, owner: 'pg_database_owner' },
  {
    change: GIVEN_AWAY,
    majors: [15, 17],
    targetUser: 'postgres',
    noOwner: true,
    owner: 'pg_database_owner',
  },
  { change: GIVEN_AWAY, majors: [15, 14], targetUser: user, owner: 'postgres' },
  { change: 'SELECT', majors: [14, 17], targetUser: 'postgres', owner: 'pg_database_owner' },
  { change: DROPPED, majors: [14, 17], targetUser: 'postgres' },
  { change: DROPPED, majors: [15, 17], targetUser: user },
  { change: DROPPED, majors: [15, 14], targetUser: user, owner: 'postgres' },
])('$change, $majors as $targetUser', async ({ change, majors, targetUser, membership, noOwner, owner }) => {
  const [sourceMajor, targetMajor] = majors;
  const move: Move = {
    source: { major: sourceMajor, database: await createTestDatabase(sourceMajor, 'flx_public') },
    target: {
      major: targetMajor,
      database: await createTestDatabase(targetMajor, 'flx_public', `OWNER ${user}`),
    },
    identity: { migrationId: 'abc123abc123', generation: 1 },
    targetUser,
  };
  const onTarget = (sql: string) => withSession(targetMajor, 'postgres', (client) => client.query(sql));
  try {
    if (membership !== undefined)
      await onTarget(`GRANT ${quoteIdentifier(app)} TO ${user} WITH ${membership}`);
    const source = await withSession(sourceMajor, move.source.database, async (client) => {
      await client.query(`${change}; CREATE SCHEMA s; ALTER SCHEMA s OWNER TO ${user}`);
      return await readCatalog(client);
    });
    await dumpAndStore(move, { noOwner: noOwner ?? false, noPrivileges: false });
    await withTarget(move, async (client) => {
      await runPreData({ client, identity: move.identity, signal: NEVER });
      await runPostData({ client, identity: move.identity, signal: NEVER });
      const { rows } = await client.query<{ owner: string }>(
        `SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = 'public'`,
      );
      expect(rows[0]?.owner).toBe(owner);
      const options = { ignoreOwners: noOwner, ignoredIdentities: leftToTheTarget(source) };
      const differences = compareCatalogs(source, await readCatalog(client), options);
      expect(differences.filter(({ object }) => !object.includes('database'))).toEqual([]);
    });
  } finally {
    await dropTestDatabase(sourceMajor, move.source.database);
    await dropTestDatabase(targetMajor, move.target.database);
    if (membership !== undefined) await onTarget(`REVOKE ${quoteIdentifier(app)} FROM ${user}`);
  }
});

test('an object in the schema of a target whose source lacks it is found', async () => {
  const [source, target] = [
    await createTestDatabase(15, 'flx_public'),
    await createTestDatabase(17, 'flx_public'),
  ];
  try {
    const there = await withSession(15, source, async (client) => {
      await client.query(DROPPED);
      return await readCatalog(client);
    });
    const here = await withSession(17, target, async (client) => {
      await client.query('CREATE TYPE public.extra AS ENUM ()');
      return await readCatalog(client);
    });
    const found = compareCatalogs(there, here, { ignoredIdentities: leftToTheTarget(there) });
    expect(found.map(({ object }) => object)).toEqual(['type "public"."extra"']);
  } finally {
    await dropTestDatabase(15, source);
    await dropTestDatabase(17, target);
  }
});
