import { randomBytes } from 'node:crypto';
import { itInAll } from '../support/all';
import { expectReleased, untilCutOver, untilReplication, useOnlineMigrations } from '../support/online';
import { run, testAddress, withSession, type Major } from '../support/servers';

const SOURCE = 15;
const TARGET = 17;
const user = `flx_plain_${randomBytes(3).toString('hex')}`;

const { shop, start } = useOnlineMigrations(SOURCE, TARGET);

beforeAll(() => run(TARGET, 'postgres', `CREATE ROLE ${user} LOGIN CREATEDB`));
afterAll(() => run(TARGET, 'postgres', `DROP ROLE IF EXISTS ${user}`));

/** Each row of a child is logged by the source's trigger, and by nobody else. */
const TABLES = [
  'CREATE TABLE parent (id int PRIMARY KEY)',
  `CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`,
  'CREATE TABLE logged (child_id int)',
  `CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql
     AS $$BEGIN INSERT INTO logged VALUES (NEW.id); RETURN NULL; END$$`,
  'CREATE TRIGGER log AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION log()',
  'INSERT INTO parent VALUES (1)',
  'INSERT INTO child VALUES (1, 1)',
];

async function guards(major: Major): Promise<string[]> {
  return await withSession(major, shop.database, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT conname AS name FROM pg_constraint WHERE contype = 'f' AND conrelid = 'child'::regclass
        UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = 'child'::regclass ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  });
}

itInAll(
  'where the target refuses session_replication_role, foreign keys and triggers wait for the cutover',
  async () => {
    await run(SOURCE, shop.database, ...TABLES);
    const target = { ...testAddress(TARGET), user };
    const migration = await start({ target, noOwner: true, noPrivileges: true });
    shop.startWorker(migration.request.pool);
    await untilReplication(migration.handle, 'ReadyForCutover');
    await run(
      SOURCE,
      shop.database,
      'INSERT INTO parent VALUES (3)',
      // the child's parent comes later, and one goes before its child
      'BEGIN; INSERT INTO child VALUES (2, 2); INSERT INTO parent VALUES (2); COMMIT',
      'BEGIN; DELETE FROM parent WHERE id = 1; UPDATE child SET parent_id = 3 WHERE id = 1; COMMIT',
    );
    expect(await guards(TARGET)).toEqual([]);
    await untilCutOver(migration.handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
    expect(await guards(TARGET)).toEqual(await guards(SOURCE));
    expect(await guards(SOURCE)).toHaveLength(2);
  },
);
