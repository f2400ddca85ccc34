import { TEST_ALL } from '../../support/all';
import { withSession, type Major } from '../../support/servers';
import { cutAt, PreparedPair } from './source-fixture';

const TABLES = `
  CREATE TABLE single (id int PRIMARY KEY, v text); INSERT INTO single VALUES (1);
  CREATE TABLE keyless (v text); INSERT INTO keyless VALUES ('x');
  CREATE TABLE by_unique (id int NOT NULL UNIQUE)`;

const FURTHER = [
  ['before', 14, 17],
  ['after', 18, 17],
];

it.each([['after', 11, 14], ...(TEST_ALL ? FURTHER : [])] as ['before' | 'after', Major, Major][])(
  'a connection that is cut %s a statement costs a source of %d nothing, making or taking away',
  async (when, source, target) => {
    const pair = await PreparedPair.create(source, target, TABLES);
    try {
      const before = await pair.identities();
      const making = await cutEverywhere(
        when,
        () => pair.prepare({ keylessTables: 'full' }),
        async () => {
          expect((await pair.objects()).sort()).toEqual(
            [
              'publication',
              'publication',
              'replica identity',
              'replica identity',
              'slot',
              ...(source < 14 ? ['schema'] : []),
            ].sort(),
          );
          expect(await pair.published()).toEqual(['keyed by_unique', 'keyed keyless', 'keyed single']);
          await pair.sql(`UPDATE keyless SET v = v || 'x'`);
          await withSession(target, pair.database, (client) => client.query('DELETE FROM flexlift.stream'));
          await pair.takeAway();
          expect(await pair.identities()).toEqual(before);
        },
      );
      expect(making).toBeGreaterThan(10);
      await pair.prepare({ keylessTables: 'full' });
      const takingAway = await cutEverywhere(
        when,
        () => pair.takeAway(),
        async () => {
          expect(await pair.objects()).toEqual([]);
          expect(await pair.identities()).toEqual(before);
          await withSession(target, pair.database, (client) => client.query('DELETE FROM flexlift.stream'));
          await pair.prepare({ keylessTables: 'full' });
        },
      );
      expect(takingAway).toBeGreaterThan(8);
    } finally {
      await pair.drop();
    }
  },
);

/** Does it again and again, each time cut one statement later and then done in peace; returns how many there are. */
async function cutEverywhere(
  when: 'before' | 'after',
  work: () => Promise<unknown>,
  check: () => Promise<void>,
): Promise<number> {
  for (let n = 1; ; n++) {
    const fault = cutAt(n, when);
    const outcome = await work()
      .finally(fault.restore)
      .then(
        () => 'done',
        () => 'died',
      );
    if (fault.sent() < n) return fault.sent();
    expect(outcome).toBe('died');
    await work();
    await check();
  }
}
