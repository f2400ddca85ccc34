import { databaseProperties } from '../../postgres/catalog';
import { quoteIdentifier } from '../../postgres/connect';
import { itInAll } from '../support/all';
import { cutOver, isFenced, untilReplication, useOnlineMigrations } from '../support/online';
import { run, withSession } from '../support/servers';

const SOURCE = 15;
const TARGET = 17;

const { shop, startReady } = useOnlineMigrations(SOURCE, TARGET);

const role = `late_${process.pid}`;

afterAll(async () => {
  for (const major of [SOURCE, TARGET] as const) {
    await withSession(major, 'postgres', (client) => client.query(`DROP ROLE IF EXISTS ${role}`));
  }
});

itInAll(
  "a database's own rights, settings and owner that change while changes are applied arrive, and no fence does",
  async () => {
    const name = quoteIdentifier(shop.database);
    await run(SOURCE, shop.database, `ALTER DATABASE ${name} SET work_mem = '5MB'`);
    const { handle, writer } = await startReady();
    await run(
      SOURCE,
      shop.database,
      `CREATE ROLE ${role}`,
      `ALTER DATABASE ${name} RESET work_mem`,
      `ALTER DATABASE ${name} SET maintenance_work_mem = '7MB'`,
      `ALTER DATABASE ${name} SET statement_timeout = '2h'`,
      `ALTER ROLE ${role} IN DATABASE ${name} SET work_mem = '9MB'`,
      `REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`,
      `GRANT CREATE ON DATABASE ${name} TO ${role}`,
      `COMMENT ON DATABASE ${name} IS 'late'`,
      `ALTER DATABASE ${name} CONNECTION LIMIT 77`,
      `ALTER DATABASE ${name} OWNER TO ${role}`,
    );
    const wanted = await withSession(SOURCE, shop.database, databaseProperties);

    const { cutover } = await cutOver(handle);
    expect(cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'CutoverRefused' } });
    expect(cutover?.failure?.sentence).toContain(role);
    expect(cutover?.fencedAt).toBeUndefined();

    await run(TARGET, shop.database, `CREATE ROLE ${role}`);
    await untilReplication(handle, 'ReadyForCutover');
    expect((await cutOver(handle)).cutover?.state).toBe('Released');
    await writer.stop();
    expect((await handle.result()).state).toBe('Succeeded');
    expect(await isFenced(SOURCE, shop.database)).toBe(true);
    const { settings, grants, ...properties } = await withSession(TARGET, shop.database, databaseProperties);
    expect(properties).toMatchObject({ owner: role, connectionLimit: 77, comment: 'late' });
    expect(new Set(settings)).toEqual(new Set(wanted.settings));
    expect(grants).toEqual(wanted.grants);
  },
);
