import { cutOver, useOnlineMigrations } from '../support/online';
import { run, withSession } from '../support/servers';

const SOURCE = 15;
const TARGET = 17;

const { shop, startReady } = useOnlineMigrations(SOURCE, TARGET);

const role = `view_owner_${process.pid}`;

beforeAll(async () => {
  await run(SOURCE, 'postgres', `CREATE ROLE ${role} BYPASSRLS`);
  await run(TARGET, 'postgres', `CREATE ROLE ${role}`);
});
afterAll(async () => {
  for (const major of [SOURCE, TARGET] as const) await run(major, 'postgres', `DROP ROLE IF EXISTS ${role}`);
});

it('materialized views are filled behind the fence with what their owner sees on the source', async () => {
  await run(
    SOURCE,
    shop.database,
    `GRANT CREATE ON SCHEMA public TO ${role}`,
    ...['granted', 'restricted'].flatMap((table) => [
      `CREATE TABLE ${table} AS SELECT n AS id FROM generate_series(1, 10) n`,
      `CREATE MATERIALIZED VIEW of_${table} AS SELECT count(*)::int AS n FROM ${table}`,
      `GRANT SELECT ON ${table} TO ${role}`,
      `ALTER MATERIALIZED VIEW of_${table} OWNER TO ${role}`,
    ]),
    // on the target the owner is bound by it
    `CREATE POLICY few ON restricted USING (id <= 3)`,
    `ALTER TABLE restricted ENABLE ROW LEVEL SECURITY`,
    `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no %', tg_tag; END$$`,
    `CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION refuse()`,
    `ALTER EVENT TRIGGER refuse ENABLE ALWAYS`,
  );
  const { handle, writer } = await startReady();
  expect((await cutOver(handle)).cutover).toMatchObject({ state: 'Released' });
  await writer.stop();
  expect((await handle.result()).state).toBe('Succeeded');
  const { rows } = await withSession(TARGET, shop.database, (client) =>
    client.query<{ n: number }>('SELECT n FROM of_granted UNION ALL SELECT n FROM of_restricted'),
  );
  expect(rows).toEqual([{ n: 10 }, { n: 10 }]);
  await expect(run(TARGET, shop.database, 'REFRESH MATERIALIZED VIEW of_granted')).rejects.toThrow('no');
});
