import { resetTableForRecopy } from '../../../postgres/copy';
import { stopTable } from '../../../postgres/replicate/applier/stopped-table';
import { parseLsn } from '../../../postgres/replicate/lsn';
import { TEST_ALL } from '../../support/all';
import { eventually } from '../../support/eventually';
import { ReplicationFixture } from './applier-fixture';

const SCHEMA = `
  CREATE TABLE a (id int PRIMARY KEY, v text);
  CREATE TABLE b (id int PRIMARY KEY, v text);
  CREATE TABLE "It's ""b""" (id int PRIMARY KEY, v text);
  INSERT INTO a SELECT g, 'start' FROM generate_series(1, 20) g;
  INSERT INTO b SELECT g, 'start' FROM generate_series(1, 20) g;`;

let fixture: ReplicationFixture;
beforeEach(async () => {
  fixture = await ReplicationFixture.create(15, 17, SCHEMA);
});
afterEach(() => fixture.drop());

const valuesOf = async (table: string) =>
  (await fixture.target.query<{ v: string }>(`SELECT DISTINCT v FROM ${table} ORDER BY 1`)).rows.map(
    ({ v }) => v,
  );

it('stops a table that cannot take a change, with its reason, and goes on with the others', async () => {
  await fixture.target.query(`INSERT INTO "It's ""b""" VALUES (1, 'in the way')`);
  const oid = await fixture.oidOf(`"It's ""b"""`);
  await fixture.target.query(
    `INSERT INTO flexlift.changed_rows VALUES (${oid}, '0/1', NULL);
     INSERT INTO flexlift.proof (table_oid, lsn, rows, checksum) VALUES (${oid}, '0/1', 0, '');`,
  );
  const applier = fixture.run();
  await fixture.source.query(
    `BEGIN; UPDATE a SET v = 'first'; INSERT INTO "It's ""b""" VALUES (1, 'secret'); COMMIT`,
  );
  await fixture.source.query(`UPDATE b SET v = 'second'`);
  await fixture.caughtUp();
  expect(await valuesOf('a')).toEqual(['first']);
  expect(await valuesOf('b')).toEqual(['second']);
  expect(await valuesOf(`"It's ""b"""`)).toEqual(['in the way']);
  const { stream_state: state, stopped_by: failure } = await fixture.stateOf(`"It's ""b"""`);
  expect(state).toBe('stopped');
  expect(failure).toMatchObject({ object: `"public"."It's ""b"""`, side: 'target' });
  expect(JSON.stringify(failure)).not.toContain('secret');
  const noted = await fixture.target.query(
    `SELECT FROM flexlift.changed_rows WHERE table_oid = $1 UNION ALL SELECT FROM flexlift.proof WHERE table_oid = $1`,
    [oid],
  );
  expect(noted.rowCount).toBe(0);
  // what follows is skipped, in a TRUNCATE of several tables too
  await fixture.source.query(`TRUNCATE b, "It's ""b"""; INSERT INTO b VALUES (1, 'third')`);
  await fixture.caughtUp();
  expect(await valuesOf('b')).toEqual(['third']);
  expect(await valuesOf(`"It's ""b"""`)).toEqual(['in the way']);
  const { progress } = await applier.stop();
  expect(progress.stoppedTables).toMatchObject([{ table: `"public"."It's ""b"""` }]);
});

it('stops a table where the target refuses a value and does not say why, as extensions do', async () => {
  await fixture.target.query(`
    CREATE FUNCTION refuse(text) RETURNS boolean LANGUAGE plpgsql AS
      $$ BEGIN IF $1 = 'odd' THEN RAISE EXCEPTION 'parse error - invalid geometry' USING ERRCODE = 'XX000'; END IF; RETURN true; END $$;
    ALTER TABLE a ADD CHECK (refuse(v))`);
  const applier = fixture.run();
  await fixture.source.query(`UPDATE a SET v = 'odd' WHERE id = 5; UPDATE b SET v = 'y'`);
  await fixture.caughtUp();
  await applier.stop();
  expect(await fixture.stateOf('a')).toMatchObject({
    stream_state: 'stopped',
    stopped_by: { sqlState: 'XX000' },
  });
  expect(await valuesOf('b')).toEqual(['y']);
});

it('does not stop a table that was set to be copied anew after it had refused a change', async () => {
  const { target, identity } = fixture;
  const oid = await fixture.oidOf('a');
  const { rows } = await target.query<{ lsn: string }>('SELECT lsn FROM flexlift.stream');
  const refused = { code: 'ChangeRejected', sentence: 'It was refused.', remedy: '' } as const;
  const stop = () =>
    stopTable(target, identity, { oid, failure: refused, lsn: parseLsn(rows[0]?.lsn ?? '') });
  await resetTableForRecopy({ target, identity, tableOid: oid });
  const spooled = `INSERT INTO flexlift.spool (table_oid, commit_lsn, relation, message) VALUES (${oid}, '0/1', '', '')`;
  await target.query(spooled);
  await stop();
  expect(await fixture.stateOf('a')).toMatchObject({ stream_state: 'recopying', stopped_by: null });
  expect((await target.query('SELECT FROM flexlift.spool')).rowCount).toBe(1);
  // its copy is there, and refuses what was spooled
  await target.query(`UPDATE flexlift.table_load SET copy_lsn = '0/1' WHERE table_oid = ${oid}`);
  await stop();
  expect(await fixture.stateOf('a')).toMatchObject({ stream_state: 'stopped', stopped_by: refused });
  expect((await target.query('SELECT FROM flexlift.spool')).rowCount).toBe(0);
});

it('stops a table whose row is missing', async () => {
  await fixture.target.query('DELETE FROM a WHERE id = 5');
  const applier = fixture.run();
  await fixture.source.query(`UPDATE a SET v = 'x' WHERE id = 5; UPDATE b SET v = 'y'`);
  await fixture.caughtUp();
  await applier.stop();
  expect(await fixture.stateOf('a')).toMatchObject({
    stream_state: 'stopped',
    stopped_by: { code: 'ChangeRejected', object: '"public"."a"' },
  });
  expect(await valuesOf('b')).toEqual(['y']);
});

it('stops a table that breaks a deferred constraint, where the target checks them', async () => {
  const { source, target } = fixture;
  const constraint = 'ALTER TABLE a ADD COLUMN u int, ADD UNIQUE (u) DEFERRABLE INITIALLY DEFERRED';
  await source.query(constraint);
  await target.query(`${constraint}; INSERT INTO a VALUES (99, 'stray', 7);
    UPDATE flexlift.stream SET replica_role = false`);
  const applier = fixture.run();
  await source.query(`UPDATE a SET u = id WHERE id < 5; UPDATE a SET u = 5 - u; UPDATE b SET v = 'x'`);
  await fixture.caughtUp();
  expect(await fixture.stateOf('a')).toMatchObject({ stream_state: 'applied' });
  await source.query(`BEGIN; INSERT INTO a VALUES (100, 'v', 7); UPDATE b SET v = 'y'; COMMIT`);
  await fixture.caughtUp();
  await applier.stop();
  expect(await fixture.stateOf('a')).toMatchObject({
    stream_state: 'stopped',
    stopped_by: { object: '"public"."a"', sqlState: '23505' },
  });
  expect(await valuesOf('b')).toEqual(['y']);
});

it('drops what the copy of a table holds, by the table', async () => {
  await fixture.source.query(`UPDATE a SET v = 'before'; UPDATE b SET v = 'before'`);
  const { rows } = await fixture.source.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn');
  await fixture.target.query('UPDATE flexlift.table_load SET copy_lsn = $2 WHERE table_oid = $1', [
    await fixture.oidOf('a'),
    rows[0]?.lsn,
  ]);
  await fixture.source.query(`UPDATE a SET v = v || ' after' WHERE id > 10`);
  await fixture.target.query(`UPDATE a SET v = 'copied' WHERE id <= 10`);
  const applier = fixture.run();
  await fixture.caughtUp();
  await applier.stop();
  expect(await valuesOf('a')).toEqual(['before after', 'copied']);
  expect(await valuesOf('b')).toEqual(['before']);
});

it('spools the changes of a table that is copied anew, and follows up when it is complete', async () => {
  const { source, target } = fixture;
  const oid = await fixture.oidOf('a');
  const confirmation = fixture.watchConfirmation();
  const applier = fixture.run();
  await fixture.caughtUp();
  await target.query(
    `BEGIN; UPDATE flexlift.table_load SET stream_state = 'recopying', copy_lsn = NULL WHERE table_oid = ${oid};
     UPDATE flexlift.part SET copied_at = NULL WHERE table_oid = ${oid}; COMMIT; TRUNCATE a`,
  );
  await source.query(`BEGIN; UPDATE a SET v = 'in the copy'; INSERT INTO a VALUES (500, 'in the copy');
    UPDATE b SET v = 'goes on'; COMMIT`);
  const copied = await source.query<{ id: number; v: string; lsn: string }>(
    'SELECT id, v, pg_current_wal_insert_lsn() AS lsn FROM a',
  );
  await source.query(`TRUNCATE a, b`);
  await source.query(`INSERT INTO a SELECT g, 'spooled' FROM generate_series(1, 3000) g`);
  await source.query(`ALTER TABLE a REPLICA IDENTITY FULL; ALTER TABLE a REPLICA IDENTITY DEFAULT`);
  const large = TEST_ALL ? 300_000_000 : 20_000_000;
  await source.query(
    `BEGIN; INSERT INTO a VALUES (5001, 'before'), (5002, repeat('large', ${large / 5})), (5003, 'behind'); COMMIT`,
  );
  await source.query(`UPDATE a SET id = -id, v = 'moved' WHERE id <= 5; DELETE FROM a WHERE id = 6`);
  await fixture.caughtUp();
  const spooled = await target.query('SELECT FROM flexlift.spool');
  expect(spooled.rowCount).toBeGreaterThan(3000);
  expect((await target.query('SELECT FROM a')).rowCount).toBe(0);
  expect((await target.query('SELECT FROM b')).rowCount).toBe(0);
  // the new copy arrives, its index is not built yet
  for (const { id, v } of copied.rows) await target.query('INSERT INTO a VALUES ($1, $2)', [id, v]);
  await target.query(
    `INSERT INTO flexlift.archive_entry (dump_id, position, section, phase, description, object, catalog_class,
                                         catalog_oid, table_oid, dependencies, statement)
     VALUES (1, 1, 'post-data', 'table', 'INDEX', 'a_idx', 0, 0, $1, '{}', '')`,
    [oid],
  );
  await target.query(`UPDATE flexlift.table_load SET copy_lsn = $2 WHERE table_oid = $1`, [
    oid,
    copied.rows[0]?.lsn,
  ]);
  await target.query(`UPDATE flexlift.part SET copied_at = now() WHERE table_oid = ${oid}`);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await fixture.stateOf('a')).toMatchObject({ stream_state: 'recopying' });
  await target.query(`INSERT INTO flexlift.step (kind, key) VALUES ('entry', '1')`);
  await eventually('the table to be applied again', async () => {
    await source.query(`UPDATE a SET v = v || '.' WHERE id % 100 = 7`);
    return (await fixture.stateOf('a')).stream_state === 'applied';
  });
  await source.query(`INSERT INTO a VALUES (9999, 'an ordinary table again')`);
  await fixture.caughtUp();
  await fixture.expectEqual();
  expect((await target.query('SELECT FROM flexlift.spool')).rowCount).toBe(0);
  await applier.stop();
  await confirmation.stop();
});

it('does not take a table for caught up that was found complete, and set to be copied anew once more', async () => {
  const { target } = fixture;
  const oid = await fixture.oidOf('a');
  const applier = fixture.run();
  await fixture.caughtUp();
  const reset = await fixture.session('target');
  await reset.query('BEGIN; SELECT FROM flexlift.stream FOR UPDATE');
  await target.query(`UPDATE flexlift.table_load SET stream_state = 'recopying' WHERE table_oid = ${oid}`);
  await eventually('the applier to have found it complete', async () => {
    const waiting = await target.query(
      `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND starts_with(application_name, $1)`,
      [fixture.workPrefix],
    );
    return waiting.rowCount === 1;
  });
  await reset.query(`TRUNCATE a; UPDATE flexlift.part SET copied_at = NULL WHERE table_oid = ${oid}; COMMIT`);
  await reset.end();
  await fixture.source.query(`UPDATE b SET v = 'goes on'`);
  await fixture.caughtUp();
  expect(await valuesOf('b')).toEqual(['goes on']);
  expect(await fixture.stateOf('a')).toMatchObject({ stream_state: 'recopying' });
  await applier.stop();
});

it('stops a table whose spool cannot be applied', async () => {
  const oid = await fixture.oidOf('a');
  await fixture.target.query(
    `UPDATE flexlift.table_load SET stream_state = 'recopying' WHERE table_oid = ${oid};
     UPDATE flexlift.part SET copied_at = NULL WHERE table_oid = ${oid}; DELETE FROM a WHERE id = 3`,
  );
  const applier = fixture.run();
  await fixture.source.query(`UPDATE a SET v = 'x' WHERE id = 3; UPDATE b SET v = 'y'`);
  await fixture.caughtUp();
  await fixture.target.query(`UPDATE flexlift.part SET copied_at = now() WHERE table_oid = ${oid}`);
  await eventually(
    'the table to be stopped',
    async () => (await fixture.stateOf('a')).stream_state === 'stopped',
  );
  expect((await fixture.target.query('SELECT FROM flexlift.spool')).rowCount).toBe(0);
  await fixture.source.query(`UPDATE b SET v = 'z'`);
  await fixture.caughtUp();
  await applier.stop();
  expect(await valuesOf('b')).toEqual(['z']);
});

it('notes the keys of changed rows from the first proof request on', async () => {
  const { source, target } = fixture;
  const applier = fixture.run();
  await source.query(`UPDATE a SET v = 'unnoted'`);
  await fixture.caughtUp();
  expect((await target.query('SELECT FROM flexlift.changed_rows')).rowCount).toBe(0);
  await target.query(`INSERT INTO flexlift.proof_request (state) VALUES ('over')`);
  await source.query(`UPDATE a SET v = 'noted' WHERE id IN (1, 2)`);
  await source.query(`INSERT INTO a VALUES (100, 'noted'); DELETE FROM a WHERE id = 3`);
  await fixture.caughtUp();
  const { rows } = await target.query<{ key: string }>(
    `SELECT DISTINCT k ->> 0 AS key FROM flexlift.changed_rows, jsonb_array_elements(keys) k
      WHERE table_oid = $1 AND lsn <= (SELECT lsn FROM flexlift.stream) ORDER BY 1`,
    [await fixture.oidOf('a')],
  );
  expect(rows.map(({ key }) => key)).toEqual(['1', '100', '2', '3']);
  await source.query('TRUNCATE a');
  await source.query('TRUNCATE a');
  await fixture.caughtUp();
  const unnamed = await target.query('SELECT FROM flexlift.changed_rows WHERE keys IS NULL');
  expect(unnamed.rowCount).toBe(1);
  await applier.stop();
});
