import { readFence } from '../../../postgres/fence';
import { eventually } from '../../support/eventually';
import { withSession } from '../../support/servers';
import { FencedSource } from './support';

let source: FencedSource;
afterEach(() => source.drop());

test.each([11, 17] as const)(
  'on %s, tables whose UPDATE and DELETE are not published take none behind the fence',
  async (major) => {
    source = await FencedSource.create(major);
    await source.asOwner((client) =>
      client.query(
        `CREATE SCHEMA "S s"; CREATE TABLE "S s"."keyless ""t" (v int); INSERT INTO "S s"."keyless ""t" VALUES (1)`,
      ),
    );
    const before = await source.footprint();
    const unseen = [{ schema: 'S s', name: 'keyless "t' }];
    await source.raise({ unseen });
    await source.asOwner(async (client) => {
      const write = (sql: string) =>
        client.query(`BEGIN READ WRITE; ${sql}; COMMIT`).finally(() => client.query('ROLLBACK'));
      for (const sql of ['UPDATE "S s"."keyless ""t" SET v = 2', 'DELETE FROM "S s"."keyless ""t"']) {
        await expect(write(sql)).rejects.toThrow('does not have a replica identity');
      }
      await write('INSERT INTO "S s"."keyless ""t" VALUES (2)');
    });
    await source.lift();
    expect(await source.footprint()).toEqual(before);
    await source.asOwner((client) => client.query('UPDATE "S s"."keyless ""t" SET v = 3'));
  },
);

test('a table that is being vacuumed is waited for, and named', async () => {
  source = await FencedSource.create(15);
  await source.asOwner((client) => client.query('CREATE TABLE keyless (v int)'));
  const before = await source.footprint();
  await withSession(source.major, source.database, async (vacuum) => {
    await vacuum.query('BEGIN; LOCK TABLE keyless IN SHARE UPDATE EXCLUSIVE MODE');
    await expect(source.raise({ unseen: [{ schema: 'public', name: 'keyless' }] })).rejects.toThrow(
      'is being vacuumed, altered or indexed: "public"."keyless"',
    );
  });
  expect(await source.footprint()).toEqual(before);
});

test('a fence that is not wanted any more is not raised, and nobody can lift or raise it while that is asked', async () => {
  source = await FencedSource.create(17);
  const before = await source.footprint();
  const isLocked = () =>
    withSession(source.major, source.database, async (client) => {
      const { rows } = await client.query<{ free: boolean }>(
        `SELECT pg_try_advisory_lock(hashtext('flexlift fence')) AS free`,
      );
      return rows[0]?.free === false;
    });
  const confirm = async () => {
    await eventually('the lock', isLocked);
    throw new Error('the attempt is over');
  };
  await expect(source.raise({ confirm })).rejects.toThrow('the attempt is over');
  expect(await source.footprint()).toEqual(before);
  expect(await source.asOwner((client) => readFence(client))).toBeUndefined();
});
