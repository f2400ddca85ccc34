import { readMaterializedViews, viewsUnderRowSecurity } from '../../../postgres/compare';
import { createTestDatabase, dropTestDatabase, withSession } from '../../support/servers';

const SOURCE = 17;
const role = `flx_bound_${process.pid}`;
let database: string;

beforeAll(async () => {
  database = await createTestDatabase(SOURCE, 'cmp_rls');
  await withSession(SOURCE, database, async (client) => {
    await client.query(`
      CREATE ROLE ${role};
      GRANT CREATE ON SCHEMA public TO ${role};
      CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 10) n;
      GRANT SELECT ON t TO ${role};
      CREATE POLICY few ON t USING (id <= 3);
      ALTER TABLE t ENABLE ROW LEVEL SECURITY;

      CREATE VIEW plain AS SELECT id FROM t;
      CREATE VIEW "plain, theirs" AS SELECT id FROM t;
      CREATE VIEW invoked WITH (security_invoker) AS SELECT id FROM t;
      CREATE VIEW "invoked, theirs" WITH (security_invoker = on) AS SELECT id FROM t;
      CREATE VIEW "not invoked" WITH (security_invoker = off) AS SELECT id FROM t;
      CREATE VIEW "above invoked" AS SELECT id FROM invoked;
      ALTER VIEW "plain, theirs" OWNER TO ${role};
      ALTER VIEW "invoked, theirs" OWNER TO ${role};
      GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`);
  });
});
afterAll(async () => {
  await dropTestDatabase(SOURCE, database);
  await withSession(SOURCE, 'postgres', (client) => client.query(`DROP ROLE ${role}`));
});

test.each(['t', 'plain', 'plain, theirs', 'invoked', 'invoked, theirs', 'not invoked', 'above invoked'])(
  'a materialized view of %s is known to hold all rows, or those that policies let its owner see',
  async (below) => {
    await withSession(SOURCE, database, async (client) => {
      await client.query(`
        CREATE MATERIALIZED VIEW ours AS SELECT id FROM "${below}";
        CREATE MATERIALIZED VIEW theirs AS SELECT id FROM "${below}";
        ALTER MATERIALIZED VIEW theirs OWNER TO ${role}`);
      try {
        const bound = await viewsUnderRowSecurity(client, await readMaterializedViews(client));
        for (const name of ['ours', 'theirs']) {
          await client.query(`SET row_security = on; REFRESH MATERIALIZED VIEW ${name}`);
          const { rowCount } = await client.query(`SELECT FROM ${name}`);
          expect({ name, bound: bound.has(`"public"."${name}"`) }).toEqual({ name, bound: rowCount === 3 });
        }
      } finally {
        await client.query('DROP MATERIALIZED VIEW ours, theirs');
      }
    });
  },
);
