import { cutOver, useOnlineMigrations } from '../support/online';
import { withSession, type Major } from '../support/servers';

const SOURCE = 15;
const TARGET = 17;

const { shop, startReady } = useOnlineMigrations(SOURCE, TARGET);

const role = `view_owner_${process.pid}`;

beforeAll(async () => {
  for (const major of [SOURCE, TARGET] as const) await run(major, 'postgres', `CREATE ROLE ${role}`);
});
afterAll(async () => {
  for (const major of [SOURCE, TARGET] as const) await run(major, 'postgres', `DROP ROLE IF EXISTS ${role}`);
});

async function run(major: Major, database: string, ...statements: string[]): Promise<void> {
  await withSession(major, database, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

it('a materialized view whose owner reads its tables by a grant alone is filled behind the fence', async () => {
  await run(
    SOURCE,
    shop.database,
    `CREATE TABLE granted AS SELECT n AS id FROM generate_series(1, 10) n`,
    `CREATE MATERIALIZED VIEW of_granted AS SELECT count(*)::int AS n FROM granted`,
    `GRANT CREATE ON SCHEMA public TO ${role}`,
    `GRANT SELECT ON granted TO ${role}`,
    `ALTER MATERIALIZED VIEW of_granted OWNER TO ${role}`,
  );
  const { handle, writer } = await startReady();
  expect((await cutOver(handle)).cutover).toMatchObject({ state: 'Released' });
  await writer.stop();
  expect((await handle.result()).state).toBe('Succeeded');
  const { rows } = await withSession(TARGET, shop.database, (client) =>
    client.query<{ n: number }>('SELECT n FROM of_granted'),
  );
  expect(rows).toEqual([{ n: 10 }]);
});
