import type { Client } from 'pg';
import { beginCutover, noteLoadEnd } from '../../../postgres/ledger';
import {
  addForeignKeys,
  buildKeyIndex,
  pendingEntries,
  runBeforeReplication,
  runEntry,
  runForeignKeys,
  runLate,
  runTableEntries,
  undoLate,
} from '../../../postgres/schema';
import { withSession, type Major } from '../../support/servers';
import { catalogListing } from './catalog-listing';
import { dumpLateAnew, NEVER, withPreData, withTarget, type Move } from './schema-steps';

const task = (client: Client, { identity }: Move) => ({ client, identity, signal: NEVER });

const listing = ({ major, database }: Move['source']) => withSession(major, database, catalogListing);

const SCHEMA = [
  'CREATE TABLE kept (id int PRIMARY KEY)',
  'CREATE TABLE renamed (id int PRIMARY KEY, kept_id int CONSTRAINT "to kept" REFERENCES kept)',
  'CREATE TABLE dropped (id int, kept_id int REFERENCES kept)',
  `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
  ...['kept', 'renamed', 'dropped'].flatMap((table) => [
    `CREATE TRIGGER "fire it" BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE PROCEDURE f()`,
    `COMMENT ON TRIGGER "fire it" ON ${table} IS 'fires'`,
    `CREATE RULE "rule it" AS ON DELETE TO ${table} DO ALSO NOTIFY x`,
    `CREATE POLICY "see it" ON ${table} USING (id > 0)`,
    `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${table} ADD CONSTRAINT "since; then" CHECK (id > 0) NOT VALID`,
    `GRANT SELECT ON ${table} TO PUBLIC`,
  ]),
  'CREATE PUBLICATION "all of it" FOR TABLE kept, renamed, dropped',
];

/** Of tables, as a person makes it on both sides. */
const CHANGE = 'ALTER TABLE public.renamed RENAME TO "new ""name"; DROP TABLE public.dropped';

const LATE_CHANGES = [
  'DROP TRIGGER "fire it" ON public.kept',
  'CREATE TRIGGER "fire again" AFTER UPDATE ON public.kept FOR EACH ROW EXECUTE PROCEDURE public.f()',
  `COMMENT ON TRIGGER "fire again" ON public.kept IS 'fires again'`,
  'DROP POLICY "see it" ON public.kept',
  'ALTER TABLE public.kept DISABLE ROW LEVEL SECURITY',
  'REVOKE SELECT ON public.kept FROM PUBLIC',
  'ALTER TABLE public.kept DROP CONSTRAINT "since; then"',
];

/** Late ones, too, that somebody makes on the target as well. */
const MADE_ON_BOTH = [
  'CREATE TRIGGER by_hand BEFORE DELETE ON public.kept FOR EACH ROW EXECUTE PROCEDURE public.f()',
  'CREATE RULE by_hand AS ON INSERT TO public.kept DO ALSO NOTIFY y',
  'CREATE POLICY by_hand ON public."new ""name" USING (false)',
  'CREATE PUBLICATION by_hand FOR TABLE public.kept',
  'ALTER TABLE public.kept ADD CONSTRAINT by_hand CHECK (id > 1) NOT VALID',
  'ALTER TABLE public.kept ADD CONSTRAINT itself FOREIGN KEY (id) REFERENCES public.kept',
];

async function execute({ major, database }: Move['source'], statements: string[]): Promise<void> {
  await withSession(major, database, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

async function prepareStream(client: Client): Promise<void> {
  await client.query(
    `INSERT INTO flexlift.stream (slot, system_identifier, lsn, replica_role) VALUES ('s', '1', '0/1', true)`,
  );
}

async function load(client: Client, move: Move): Promise<void> {
  const { rows } = await client.query<{ oid: number }>(
    'SELECT DISTINCT table_oid AS oid FROM flexlift.archive_entry WHERE table_oid IS NOT NULL',
  );
  await runTableEntries({ ...task(client, move), tableOids: rows.map(({ oid }) => oid) });
  await runBeforeReplication(task(client, move));
  await noteLoadEnd(client, move.identity);
}

/** As an online load leaves the target. */
async function untilReplication(client: Client, move: Move): Promise<void> {
  await prepareStream(client);
  await load(client, move);
}

async function cutOver(client: Client, move: Move): Promise<number> {
  const attempt = await beginCutover(client, move.identity);
  await runLate({ ...task(client, move), attempt });
  expect(await pendingEntries(client)).toEqual([]);
  expect(await listing(move.target)).toEqual(await listing(move.source));
  return attempt;
}

describe.each<[Major, Major]>([
  [11, 15],
  [14, 17],
  [15, 18],
])('%i to %i', (...majors) => {
  test.each([{ foreignKeys: 'before' }, { foreignKeys: 'at the cutover' }])(
    'what waits for the cutover follows the source, foreign keys $foreignKeys',
    async ({ foreignKeys }) => {
      await withPreData(majors, SCHEMA, async (move, client) => {
        await untilReplication(client, move);
        if (foreignKeys === 'before') await runForeignKeys(task(client, move));
        // one that was called off leaves nothing behind that the next dump would meet
        const attempt = await cutOver(client, move);
        await undoLate({ ...task(client, move), attempt });

        await execute(move.source, [CHANGE, ...LATE_CHANGES, ...MADE_ON_BOTH]);
        await execute(move.target, [CHANGE, ...MADE_ON_BOTH, 'REVOKE SELECT ON public.kept FROM PUBLIC']);
        await dumpLateAnew(move);
        await dumpLateAnew(move);
        for (const again of [true, true, false]) {
          const next = await cutOver(client, move);
          if (again) await undoLate({ ...task(client, move), attempt: next });
        }
      });
    },
  );
});

test('what a load has left when it was ended follows the source', async () => {
  const more = [
    'CREATE INDEX by_name ON renamed (kept_id)',
    'CREATE VIEW counted AS SELECT id, kept_id, count(*) FROM renamed GROUP BY id',
    'CREATE STATISTICS correlated (dependencies) ON id, kept_id FROM renamed',
    'CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id)',
    'CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9)',
    'CREATE INDEX by_v ON parts (v)',
  ];
  await withPreData([11, 15], [...SCHEMA, ...more], async (move, client) => {
    await prepareStream(client);
    const keys = (await pendingEntries(client)).filter(({ object }) => /renamed_pkey|kept_pkey/.test(object));
    expect(keys).toHaveLength(2);
    for (const { dumpId } of keys) await buildKeyIndex({ ...task(client, move), dumpId });
    await runEntry({ ...task(client, move), dumpId: keys[0]?.dumpId ?? 0 });
    const late = LATE_CHANGES.filter((statement) => !statement.startsWith('REVOKE '));
    await execute(move.source, [CHANGE, ...late, 'CREATE INDEX since ON public.kept (id)']);
    await execute(move.target, [CHANGE]);
    await dumpLateAnew(move);
    await load(client, move);
    await runForeignKeys(task(client, move));
    await cutOver(client, move);
  });
});

test('a foreign key that was added unchecked is checked under its new name', async () => {
  await withPreData([15, 17], SCHEMA, async (move, client) => {
    await untilReplication(client, move);
    await client.query(
      `INSERT INTO flexlift.table_load (table_oid, schema_name, table_name, estimated_bytes, estimated_rows, parts)
       SELECT DISTINCT table_oid, 'public', table_oid::text, 1e9, 0, 1 FROM flexlift.archive_entry
        WHERE table_oid IS NOT NULL`,
    );
    await addForeignKeys(task(client, move));
    const change = [CHANGE, 'ALTER TABLE public."new ""name" RENAME CONSTRAINT "to kept" TO "to; the same"'];
    await execute(move.source, change);
    await execute(move.target, change);
    await dumpLateAnew(move);
    await runForeignKeys(task(client, move));
    await cutOver(client, move);
  });
});

test('an entry that is being executed stays, the others are replaced', async () => {
  await withPreData([15, 17], SCHEMA, async (move, client) => {
    await untilReplication(client, move);
    const foreignKeys = async () =>
      (await pendingEntries(client)).filter(({ description }) => description === 'FK CONSTRAINT');
    const before = await foreignKeys();
    await withTarget(move, async (other) => {
      await other.query(`BEGIN; SELECT FROM flexlift.archive_entry WHERE object ~ 'to kept' FOR KEY SHARE`);
      await dumpLateAnew(move);
      await other.query('ROLLBACK');
    });
    const after = await foreignKeys();
    expect(after.map(({ object }) => object).sort()).toEqual(before.map(({ object }) => object).sort());
    const isKept = ({ dumpId }: { dumpId: number }) => after.some((entry) => entry.dumpId === dumpId);
    expect(before.filter(isKept).map(({ object }) => object)).toEqual([
      'FK CONSTRAINT "public"."renamed to kept"',
    ]);
    await cutOver(client, move);
  });
});

test('comments of what is not made again do not outlive the next dump', async () => {
  const commented = [...SCHEMA, `COMMENT ON CONSTRAINT "to kept" ON renamed IS 'a key'`];
  await withPreData([15, 17], commented, async (move, client) => {
    await untilReplication(client, move);
    await runForeignKeys(task(client, move));
    await dumpLateAnew(move);
    await execute(move.source, [CHANGE]);
    await execute(move.target, [CHANGE]);
    await dumpLateAnew(move);
    await cutOver(client, move);
  });
});

test('names that only one of the majors quotes are the same', async () => {
  const statements = ['CREATE TABLE json (id int PRIMARY KEY, parent int REFERENCES json)'];
  await withPreData([15, 17], statements, async (move, client) => {
    await untilReplication(client, move);
    await runForeignKeys(task(client, move));
    await dumpLateAnew(move);
    expect((await pendingEntries(client)).map(({ object }) => object)).toEqual([]);
  });
});
