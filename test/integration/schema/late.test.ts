import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { quoteIdentifier, withConnection } from '../../../postgres/connect';
import { beginCutover, callOffCutover, cutoverAttempt } from '../../../postgres/ledger';
import {
  pendingEntries,
  runBeforeReplication,
  runForeignKeys,
  runLate,
  runPreData,
  runTableEntries,
  undoLate,
} from '../../../postgres/schema';
import {
  createTestDatabase,
  dropTestDatabase,
  testAddress,
  testEndpoint,
  withSession,
  type Major,
} from '../../support/servers';
import { eventually } from '../../support/eventually';
import { TcpProxy } from '../../support/tcp-proxy';
import { catalogListing } from './catalog-listing';
import { nastySchema } from './nasty-schema';
import { dumpAndStore, NEVER, withTarget, type Move } from './schema-steps';

const suffix = randomBytes(3).toString('hex');
const owner = quoteIdentifier(`flx_late_${suffix} "Own'er`);
const reader = quoteIdentifier(`flx_late_${suffix} SET SESSION AUTHORIZATION é`);
const admin = `flx_late_${suffix}_admin`;
const MAJORS: Major[] = [11, 14, 15, 17, 18];

async function onAllServers(...statements: string[]): Promise<void> {
  for (const major of MAJORS) {
    await withSession(major, 'postgres', async (client) => {
      for (const statement of statements) await client.query(statement);
    });
  }
}

beforeAll(() =>
  onAllServers(
    `CREATE ROLE ${owner}`,
    `CREATE ROLE ${reader}`,
    `CREATE ROLE ${admin} LOGIN`,
    `GRANT ${owner}, ${reader} TO ${admin}`,
  ),
);
afterAll(() => onAllServers(`DROP ROLE ${admin}`, `DROP ROLE ${owner}`, `DROP ROLE ${reader}`));

async function moved(
  [sourceMajor, targetMajor]: [Major, Major],
  statements: string[],
  work: (move: Move) => Promise<void>,
  targetUser?: string,
): Promise<void> {
  const source = { major: sourceMajor, database: await createTestDatabase(sourceMajor, 'flx_late') };
  const target = { major: targetMajor, database: await createTestDatabase(targetMajor, 'flx_late') };
  const identity = { migrationId: 'abc123abc123', generation: 1 };
  const move: Move = { source, target, identity, ...(targetUser === undefined ? {} : { targetUser }) };
  try {
    await withSession(sourceMajor, source.database, async (client) => {
      for (const statement of statements) await client.query(statement);
    });
    await withSession(targetMajor, 'postgres', (client) =>
      client.query(`ALTER DATABASE ${quoteIdentifier(target.database)} OWNER TO ${targetUser ?? 'postgres'}`),
    );
    await dumpAndStore(move);
    await withTarget(move, async (client) => {
      await client.query(
        `INSERT INTO flexlift.stream (slot, system_identifier, lsn, replica_role) VALUES ('s', '1', '0/1', true)`,
      );
      await runPreData(task(client, move));
      await runBeforeReplication(task(client, move));
    });
    await work(move);
  } finally {
    await dropTestDatabase(sourceMajor, source.database);
    await dropTestDatabase(targetMajor, target.database);
  }
}

const task = (client: Client, { identity }: Move) => ({ client, identity, signal: NEVER });

const listing = (side: Move['source']) => withSession(side.major, side.database, catalogListing);

/** What acts on changes, or hides or refuses rows; the rights that were granted may stay. */
async function acting(side: Move['target']): Promise<string[]> {
  const lines = await listing(side);
  const rowSecurity = await withSession(side.major, side.database, (client) =>
    client.query<{ line: string }>(
      `SELECT 'row security ' || oid::regclass AS line FROM pg_class WHERE relrowsecurity ORDER BY 1`,
    ),
  );
  const kinds =
    /^(pg_trigger|pg_rewrite|pg_policy|pg_publication|pg_publication_rel|pg_event_trigger|pg_constraint|trigger|constraint|index) /;
  return [...lines.filter((line) => kinds.test(line)), ...rowSecurity.rows.map((row) => row.line)];
}

const LATE = [
  `CREATE SCHEMA always`,
  `CREATE TABLE always.referenced (a int PRIMARY KEY)`,
  `CREATE TABLE always.on_partitions (a int PRIMARY KEY, b int REFERENCES always.referenced) PARTITION BY LIST (a)`,
  `CREATE TABLE always.leaf PARTITION OF always.on_partitions FOR VALUES IN (1)`,
  `CREATE FUNCTION always.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''fired''; END'`,
  `CREATE TRIGGER "al""ways" AFTER INSERT ON always.on_partitions FOR EACH ROW EXECUTE PROCEDURE always.fire()`,
  `ALTER TABLE always.leaf DISABLE TRIGGER "al""ways"`,
  `CREATE TABLE always.plain (a int)`,
  `CREATE TRIGGER t BEFORE INSERT ON always.plain FOR EACH ROW EXECUTE PROCEDURE always.fire()`,
  `ALTER TABLE always.plain ENABLE ALWAYS TRIGGER t`,
  `COMMENT ON TRIGGER t ON always.plain IS 'a ''comment'''`,
  `CREATE RULE r AS ON INSERT TO always.leaf DO ALSO NOTIFY x`,
  `COMMENT ON RULE r ON always.leaf IS 'a rule'`,
  `ALTER TABLE always.leaf ENABLE ALWAYS RULE r`,
  `CREATE POLICY p ON always.plain USING (false)`,
  `COMMENT ON POLICY p ON always.plain IS 'a policy'`,
  `ALTER TABLE always.plain ENABLE ROW LEVEL SECURITY`,
  `ALTER TABLE always.plain FORCE ROW LEVEL SECURITY`,
  `CREATE DOMAIN always.positive AS int`,
  `ALTER DOMAIN always.positive ADD CONSTRAINT "is; 1" CHECK (VALUE > 0) NOT VALID`,
  `ALTER TABLE always.on_partitions ADD CONSTRAINT "not; 13" CHECK (b <> 13) NOT VALID`,
  `COMMENT ON CONSTRAINT "not; 13" ON always.on_partitions IS 'since ''24'''`,
  `CREATE PUBLICATION flexlift_abc123abc123 FOR TABLE always.plain`,
  `CREATE PUBLICATION "user's" FOR TABLE always.plain, always.leaf`,
];

describe.each<[Major, Major]>([
  [11, 15],
  [14, 17],
  [15, 18],
])('%i to %i', (...majors) => {
  test('what waits for the cutover is executed, undone and executed again', async () => {
    const nasty = nastySchema(majors[0], { owner, reader });
    // the last one forbids all DDL
    const statements = [...nasty.slice(0, -1), ...LATE, ...nasty.slice(-1)];
    await moved(majors, statements, async (move) => {
      const source = (await listing(move.source)).filter((line) => !/flexlift_abc/.test(line));
      const before = await acting(move.target);
      expect(
        before.filter((line) => /^(trigger|pg_policy|pg_publication|pg_event|row sec)/.test(line)),
      ).toEqual([]);
      expect(before.filter((line) => /FOREIGN KEY/.test(line))).toEqual([]);
      expect(before.filter((line) => /^index /.test(line))).toEqual(
        source.filter((line) => /^index /.test(line)),
      );

      const calledOff = async (): Promise<string[]> =>
        await withTarget(move, async (client) => {
          const attempt = await beginCutover(client, move.identity);
          await runLate({ ...task(client, move), attempt });
          expect(await pendingEntries(client)).toEqual([]);
          expect(await listing(move.target)).toEqual(source);

          const undo = { ...task(client, move), attempt };
          await undoLate(undo);
          const left = await pendingEntries(client);
          await undoLate(undo);
          expect(await pendingEntries(client)).toEqual(left);
          return await acting(move.target);
        });
      expect(await calledOff()).toEqual(before);

      await withTarget(move, (client) => runForeignKeys(task(client, move)));
      const withForeignKeys = await acting(move.target);
      expect(withForeignKeys.filter((line) => /FOREIGN KEY/.test(line))).toEqual(
        source.filter((line) => /FOREIGN KEY/.test(line)),
      );
      expect(withForeignKeys.filter((line) => !/account_fk|_fk|fkey/.test(line))).toEqual(before);
      expect(await calledOff()).toEqual(withForeignKeys);

      await withTarget(move, async (client) => {
        await runLate({ ...task(client, move), attempt: await beginCutover(client, move.identity) });
        expect(await pendingEntries(client)).toEqual([]);
      });
      expect(await listing(move.target)).toEqual(source);
    });
  });
});

test('a user without superuser can write again after the undo, even where the owner may not', async () => {
  const statements = [
    'CREATE TABLE t (a int PRIMARY KEY)',
    `ALTER TABLE t OWNER TO ${owner}`,
    'CREATE POLICY p ON t USING (false)',
    'ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    `REVOKE ALL ON t FROM ${owner}`,
    `GRANT SELECT ON t TO ${owner}, ${reader}`,
    `CREATE FUNCTION "f; ""x"" FROM y"(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'`,
    `ALTER FUNCTION "f; ""x"" FROM y" OWNER TO ${owner}`,
    `REVOKE ALL ON FUNCTION "f; ""x"" FROM y" FROM PUBLIC, ${owner}`,
    `CREATE INDEX ON t ("f; ""x"" FROM y"(a))`,
    'CREATE PUBLICATION p',
    `ALTER PUBLICATION p OWNER TO ${admin}`,
  ];
  await moved(
    [14, 17],
    statements,
    async (move) => {
      const write = (value: number) =>
        withTarget(move, (client) => client.query(`INSERT INTO public.t VALUES (${value})`));
      await write(1);
      for (const round of [2, 3]) {
        await withTarget(move, async (client) => {
          const attempt = await beginCutover(client, move.identity);
          await runLate({ ...task(client, move), attempt });
          await expect(write(0)).rejects.toMatchObject({ code: 'PermissionDenied' });
          expect(await listing(move.target)).toEqual(await listing(move.source));
          await undoLate({ ...task(client, move), attempt });
        });
        await write(round);
      }
    },
    admin,
  );
});

const SMALL = [
  'CREATE TABLE parent (id int PRIMARY KEY)',
  'CREATE TABLE child (id int REFERENCES parent)',
  `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
  'CREATE TRIGGER t BEFORE INSERT ON child FOR EACH ROW EXECUTE PROCEDURE f()',
];

test('rows older than a constraint NOT VALID can be copied until the cutover, and after one that was called off', async () => {
  const statements = [
    'CREATE TABLE checked (a int PRIMARY KEY, CHECK (a < 100))',
    'INSERT INTO checked VALUES (13)',
    'ALTER TABLE checked ADD CONSTRAINT since CHECK (a <> 13) NOT VALID',
    'CREATE DOMAIN d AS int',
    'CREATE TABLE of_domain (v d)',
    'INSERT INTO of_domain VALUES (-1)',
    'ALTER DOMAIN d ADD CONSTRAINT since CHECK (VALUE > 0) NOT VALID',
  ];
  await moved([15, 17], statements, async (move) => {
    const oldRows = ['public.checked VALUES (13)', 'public.of_domain VALUES (-1)'];
    const copied = async () => {
      const states = oldRows.map((row) =>
        withTarget(move, (client) => client.query(`BEGIN; INSERT INTO ${row}; ROLLBACK`)).then(
          () => 'copied',
          (error: unknown) => (error as { code: string }).code,
        ),
      );
      return await Promise.all(states);
    };
    const { rows } = await withSession(15, move.source.database, (client) =>
      client.query<{ oid: number }>(`SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace`),
    );
    await withTarget(move, async (client) => {
      await runTableEntries({ ...task(client, move), tableOids: rows.map(({ oid }) => oid) });
      await runForeignKeys(task(client, move));
      for (const again of [true, false]) {
        expect(await copied()).toEqual(['copied', 'copied']);
        const attempt = await beginCutover(client, move.identity);
        await runLate({ ...task(client, move), attempt });
        expect(await pendingEntries(client)).toEqual([]);
        expect(await copied()).toEqual(['DataRejected', 'DataRejected']);
        expect(await listing(move.target)).toEqual(await listing(move.source));
        if (again) await undoLate({ ...task(client, move), attempt });
      }
    });
  });
});

test('many entries of a cutover are few round trips, and the one that waits for a lock is named', async () => {
  const tables = Array.from({ length: 250 }, (_, n) => `t${n}`);
  const statements = tables.map(
    (table) => `CREATE TABLE ${table} (a int); CREATE TRIGGER t BEFORE UPDATE ON ${table}
      FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
  );
  await moved([15, 17], statements, async (move) => {
    const proxy = await TcpProxy.start(testAddress(17));
    const endpoint = testEndpoint(17, 'target');
    const address = { ...endpoint.address, port: proxy.port };
    await withConnection({ ...endpoint, address }, move.target.database, NEVER, async (client) => {
      const attempt = await beginCutover(client, move.identity);
      const before = proxy.roundTrips;
      await runLate({ ...task(client, move), attempt });
      expect(proxy.roundTrips - before).toBeLessThan(30);
      expect(await listing(move.target)).toEqual(await listing(move.source));
      await undoLate({ ...task(client, move), attempt });
    });
    await withTarget(move, async (client) => {
      const attempt = await beginCutover(client, move.identity);
      const said: string[] = [];
      await withSession(17, move.target.database, async (reader) => {
        await reader.query('BEGIN; LOCK TABLE t7 IN ROW EXCLUSIVE MODE');
        const onProgress = ({ object }: { object?: string }) => void said.push(object ?? 'done');
        const end = runLate({ ...task(client, move), attempt, onProgress });
        await eventually('the table that is waited for to be named', async () => {
          const { rowCount } = await reader.query(
            `SELECT FROM pg_locks WHERE relation = 't7'::regclass AND NOT granted`,
          );
          return rowCount === 1 && said.at(-1)?.includes('"t7 t"') === true;
        });
        await reader.query('ROLLBACK');
        await end;
      });
      expect(said.at(-1)).toBe('done');
      expect(await listing(move.target)).toEqual(await listing(move.source));
    });
    await proxy.close();
  });
});

test('constraints that a parent hands down, and what somebody has dropped meanwhile, are undone', async () => {
  // more than are undone in one transaction
  const children = Array.from({ length: 120 }, (_, n) => ['a_parent', `b_child_${n}`]);
  const families = [...children, ['b_child_7', 'c_grandchild'], ['e_parent', 'd_child']].flatMap(
    ([parent, child]) => [
      `CREATE TABLE IF NOT EXISTS ${parent} (a int); CREATE TABLE ${child} () INHERITS (${parent})`,
      `ALTER TABLE ${child} ADD CONSTRAINT k CHECK (a > 0) NOT VALID`,
    ],
  );
  const parents = ['a_parent', 'e_parent'].map(
    (parent) => `ALTER TABLE ${parent} ADD CONSTRAINT k CHECK (a > 0) NOT VALID`,
  );
  const trigger =
    'CREATE TRIGGER t BEFORE UPDATE ON a_parent FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()';
  await moved([15, 17], [...families, ...parents, trigger], async (move) => {
    await withTarget(move, async (client) => {
      const before = await listing(move.target);
      for (const again of [true, false]) {
        const attempt = await beginCutover(client, move.identity);
        await runLate({ ...task(client, move), attempt });
        expect(await listing(move.target)).toEqual(await listing(move.source));
        if (!again) continue;
        await client.query('DROP TRIGGER t ON public.a_parent');
        await undoLate({ ...task(client, move), attempt });
        expect(await listing(move.target)).toEqual(before);
      }
    });
  });
});

test('late work of a cutover that was called off is refused, and so is a late undo of it', async () => {
  await moved([15, 17], SMALL, async (move) => {
    await withTarget(move, async (client) => {
      expect(await cutoverAttempt(client)).toBe(0);
      expect(await beginCutover(client, move.identity)).toBe(1);
      await callOffCutover(client, move.identity, 1);
      const refused = { code: 'CutoverRefused' };
      await expect(runLate({ ...task(client, move), attempt: 1 })).rejects.toMatchObject(refused);
      await undoLate({ ...task(client, move), attempt: 1 });
      expect(await beginCutover(client, move.identity)).toBe(2);
      await runLate({ ...task(client, move), attempt: 2 });
      const undo = undoLate({ ...task(client, move), attempt: 1 });
      await expect(undo).rejects.toMatchObject(refused);
      expect(await listing(move.target)).toEqual(await listing(move.source));
    });
  });
});

test('calling off waits for what is under way, and the applier waits for neither', async () => {
  await moved([15, 17], SMALL, async (move) => {
    await withTarget(move, async (client) => {
      const attempt = await beginCutover(client, move.identity);
      await withTarget(move, async (blocker) => {
        await blocker.query('BEGIN; LOCK TABLE public.child');
        const running = runLate({ ...task(client, move), attempt });
        const calledOff = withTarget(move, (other) => undoLate({ ...task(other, move), attempt }));
        await withTarget(move, async (applier) => {
          for (let n = 0; n < 10; n++) await applier.query(`UPDATE flexlift.stream SET lsn = '0/2'`);
        });
        await blocker.query('COMMIT');
        await running.catch((error: unknown) => expect(error).toMatchObject({ code: 'CutoverRefused' }));
        await calledOff;
      });
      expect((await acting(move.target)).filter((line) => /^trigger|FOREIGN/.test(line))).toEqual([]);
    });
  });
});

test('a foreign key waits for a table that the applier holds, and not without end', async () => {
  await moved([15, 17], SMALL, async (move) => {
    await withTarget(move, async (client) => {
      await withTarget(move, async (applier) => {
        await applier.query('BEGIN; INSERT INTO public.parent VALUES (1)');
        const built = runForeignKeys(task(client, move));
        await new Promise((resolve) => setTimeout(resolve, 6_000));
        await applier.query('COMMIT');
        await built;
      });
      expect((await acting(move.target)).filter((line) => /FOREIGN/.test(line))).toHaveLength(1);
    });
  });
});

test('a foreign key that does not hold is left to the cutover, the others are not, and is undone with it', async () => {
  const statements = [
    ...SMALL,
    `COMMENT ON CONSTRAINT child_id_fkey ON child IS 'a comment'`,
    'CREATE TABLE sound (id int REFERENCES parent)',
  ];
  await moved([15, 17], statements, async (move) => {
    const foreignKeys = async () => [
      ...new Set((await acting(move.target)).flatMap((line) => /\w+_id_fkey/.exec(line)?.[0] ?? [])),
    ];
    await withTarget(move, async (client) => {
      await client.query('INSERT INTO public.child VALUES (1)');
      await runForeignKeys(task(client, move));
      expect(await foreignKeys()).toEqual(['sound_id_fkey']);

      const attempt = await beginCutover(client, move.identity);
      await expect(runLate({ ...task(client, move), attempt })).rejects.toMatchObject({
        code: 'DataRejected',
        fields: {
          sentence:
            'The foreign key "child_id_fkey" of table "public"."child" does not hold: a row refers to one that is not there.',
          sqlState: '23503',
        },
      });
      await undoLate({ ...task(client, move), attempt });
      expect(await foreignKeys()).toEqual(['sound_id_fkey']);

      await client.query('INSERT INTO public.parent VALUES (1)');
      for (const end of [undoLate, undefined]) {
        const again = { ...task(client, move), attempt: await beginCutover(client, move.identity) };
        await runLate(again);
        expect(await listing(move.target)).toEqual(await listing(move.source));
        await end?.(again);
        if (end !== undefined) expect(await foreignKeys()).toEqual(['sound_id_fkey']);
      }
    });
  });
});
