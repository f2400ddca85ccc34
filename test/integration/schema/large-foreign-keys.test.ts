import type { Client } from 'pg';
import { beginCutover } from '../../../postgres/ledger';
import {
  addForeignKeys,
  checkForeignKeys,
  pendingEntries,
  runForeignKeys,
  runLate,
  runPostData,
  undoLate,
} from '../../../postgres/schema';
import { withSession, type Major } from '../../support/servers';
import { catalogListing } from './catalog-listing';
import { NEVER, withPreData, withTarget, type Move } from './schema-steps';

const task = (client: Client, { identity }: Move) => ({ client, identity, signal: NEVER });

const listing = ({ major, database }: Move['source']) => withSession(major, database, catalogListing);

/** As a load plans tables of a gigabyte. */
async function planLargeTables(client: Client): Promise<void> {
  await client.query(
    `INSERT INTO flexlift.table_load (table_oid, schema_name, table_name, estimated_bytes, estimated_rows, parts)
     SELECT DISTINCT table_oid, 's', table_oid::text, 1e9, 0, 1 FROM flexlift.archive_entry
      WHERE table_oid IS NOT NULL AND object !~ '"(tree|trunk)[ "]'`,
  );
}

/** As an online load leaves the target. */
async function untilReplication(client: Client, move: Move): Promise<void> {
  await planLargeTables(client);
  await client.query(
    `INSERT INTO flexlift.stream (slot, system_identifier, lsn, replica_role) VALUES ('s', '1', '0/1', true)`,
  );
  await runPostData({ ...task(client, move), until: 'indexes' });
}

/** Names, with a question mark behind those that are not validated. */
async function foreignKeys(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT conname || CASE WHEN convalidated THEN '' ELSE '?' END AS name
       FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace <> 'flexlift'::regnamespace`,
  );
  return rows.map(({ name }) => name).sort();
}

async function checkWithTwo(client: Client, move: Move, tables: Parameters<typeof checkForeignKeys>[1]) {
  await withTarget(move, (other) =>
    checkForeignKeys({ ...task(client, move), clients: [client, other] }, tables),
  );
}

const SHOP = [
  'CREATE TABLE owner (id int PRIMARY KEY, next int CONSTRAINT own REFERENCES owner)',
  'CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b))',
  `CREATE TABLE "Q;u(o""te" ("a, b" int, "c)" int,
     CONSTRAINT "k NOT VALID;" FOREIGN KEY ("a, b", "c)") REFERENCES pair MATCH FULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
     CONSTRAINT second FOREIGN KEY ("a, b") REFERENCES owner ON DELETE SET NULL)`,
  `COMMENT ON CONSTRAINT second ON "Q;u(o""te" IS 'a comment'`,
  'CREATE TABLE child (id int CONSTRAINT down REFERENCES owner)',
  'ALTER TABLE owner ADD COLUMN pair_a int, ADD COLUMN pair_b int, ADD CONSTRAINT round FOREIGN KEY (pair_a, pair_b) REFERENCES pair',
  'ALTER TABLE pair ADD CONSTRAINT "round 2" FOREIGN KEY (a) REFERENCES owner NOT VALID',
  'CREATE TABLE tree (id int CONSTRAINT leafless REFERENCES owner) PARTITION BY RANGE (id)',
  'CREATE TABLE leaf PARTITION OF tree FOR VALUES FROM (1) TO (9)',
];
/** Before 12 none can refer to a partitioned table; 18 names the keys of its partitions in another way. */
const TO_PARTITIONS = [
  'CREATE TABLE trunk (id int PRIMARY KEY) PARTITION BY RANGE (id)',
  'CREATE TABLE branch PARTITION OF trunk FOR VALUES FROM (1) TO (9)',
  'CREATE TABLE climber (id int REFERENCES trunk)',
];

test.each<[Major, Major]>([
  [11, 11],
  [11, 15],
  [14, 17],
  [15, 18],
])(
  'foreign keys of %i that are added unchecked, and checked side by side, stand on %i as they were',
  async (...majors) => {
    const statements = [...SHOP, ...(majors[0] >= 12 && majors[1] < 18 ? TO_PARTITIONS : [])];
    await withPreData(majors, statements, async (move, client) => {
      await planLargeTables(client);
      const tables = await addForeignKeys(task(client, move));
      const unchecked = ['down?', 'k NOT VALID;?', 'own?', 'round?', 'second?'];
      expect(await foreignKeys(client)).toEqual(unchecked);
      expect(await addForeignKeys(task(client, move))).toEqual(tables);
      expect(tables.map((keys) => keys.length).sort()).toEqual([1, 2, 2]);
      await checkWithTwo(client, move, tables);
      expect(await foreignKeys(client)).toEqual(['down', 'k NOT VALID;', 'own', 'round', 'second']);
      await runPostData(task(client, move));
      expect(await pendingEntries(client)).toEqual([]);
      expect(await addForeignKeys(task(client, move))).toEqual([]);
      expect(await listing(move.target)).toEqual(await listing(move.source));
    });
  },
);

const TWO = [
  'CREATE TABLE parent (id int PRIMARY KEY)',
  'CREATE TABLE child (id int CONSTRAINT down REFERENCES parent)',
  `COMMENT ON CONSTRAINT down ON child IS 'a comment'`,
  'CREATE TABLE other (id int CONSTRAINT across REFERENCES parent)',
];

test('whoever writes to their tables is not waited for while they are checked', async () => {
  await withPreData([15, 17], TWO, async (move, client) => {
    await planLargeTables(client);
    const tables = await addForeignKeys(task(client, move));
    await withTarget(move, async (writer) => {
      await writer.query('BEGIN; INSERT INTO public.parent VALUES (1); INSERT INTO public.child VALUES (1)');
      await checkWithTwo(client, move, tables);
      expect(await foreignKeys(client)).toEqual(['across', 'down']);
      await writer.query('COMMIT');
    });
  });
});

test('one that does not hold is named, and ends the check of the others', async () => {
  await withPreData([15, 17], TWO, async (move, client) => {
    await planLargeTables(client);
    await client.query('INSERT INTO public.child VALUES (7)');
    const tables = await addForeignKeys(task(client, move));
    await expect(checkWithTwo(client, move, tables)).rejects.toMatchObject({
      fields: { code: 'DataRejected', object: 'FK CONSTRAINT "public"."child down"' },
    });
    await client.query('TRUNCATE public.child');
    expect(await foreignKeys(client)).toContain('down?');
    await runPostData(task(client, move));
    expect(await foreignKeys(client)).toEqual(['across', 'down']);
  });
});

test('while changes are applied, one that does not hold stays unchecked until the cutover', async () => {
  await withPreData([15, 17], TWO, async (move, client) => {
    await untilReplication(client, move);
    await client.query('INSERT INTO public.child VALUES (7)');
    expect(await runForeignKeys(task(client, move))).toEqual({ left: 1 });
    expect(await foreignKeys(client)).toEqual(['across', 'down?']);
    expect(await runForeignKeys(task(client, move))).toEqual({ left: 1 });
    await client.query('TRUNCATE public.child');
    for (const again of [true, false]) {
      const attempt = await beginCutover(client, move.identity);
      await runLate({ ...task(client, move), attempt });
      expect(await listing(move.target)).toEqual(await listing(move.source));
      if (again) await undoLate({ ...task(client, move), attempt });
      expect(await foreignKeys(client)).toEqual(again ? ['across'] : ['across', 'down']);
    }
  });
});

test('one that was added and never checked is checked at the cutover, and undone with it', async () => {
  await withPreData([15, 17], TWO, async (move, client) => {
    await untilReplication(client, move);
    await addForeignKeys(task(client, move));
    expect(await foreignKeys(client)).toEqual(['across?', 'down?']);
    for (const again of [true, false]) {
      const attempt = await beginCutover(client, move.identity);
      await runLate({ ...task(client, move), attempt });
      expect(await foreignKeys(client)).toEqual(['across', 'down']);
      expect(await listing(move.target)).toEqual(await listing(move.source));
      if (again) await undoLate({ ...task(client, move), attempt });
    }
  });
});
