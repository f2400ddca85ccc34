import { Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { WITHOUT_SLOT } from '../../../postgres/ledger';
import { findPgDump, dumpSchema, leftOutEntries, readArchive } from '../../../postgres/schema';
import { itInAll } from '../../support/all';
import { eventually } from '../../support/eventually';
import { testAddress, withSession } from '../../support/servers';
import { withSnapshot } from '../schema/schema-steps';
import { otherSession, PreparedPair } from './source-fixture';

const TABLES = `
  CREATE TABLE single (id int PRIMARY KEY, v text); INSERT INTO single VALUES (1);
  CREATE TABLE keyless (v text); INSERT INTO keyless VALUES ('x');
  CREATE TABLE by_unique (id int NOT NULL UNIQUE)`;

describe('a source in use', () => {
  let pair: PreparedPair;
  let others: Client[];

  beforeEach(async () => {
    pair = await PreparedPair.create(14, 17, TABLES);
    others = [];
  });
  afterEach(async () => {
    for (const other of others) await other.end().catch(() => undefined);
    await pair.drop();
  });

  const other = async (...statements: string[]): Promise<Client> => {
    const client = await otherSession(pair, 'the "application"');
    others.push(client);
    for (const statement of statements) await client.query(statement);
    return client;
  };
  const said = (text: string) =>
    eventually(`to be told: ${text}`, () => Promise.resolve(pair.said.some((line) => line.includes(text))), {
      // transactions of other tests are waited for before it
      timeout: 60_000,
    });

  it('has its transactions waited for, which are named, and the wait can be cancelled', async () => {
    const writer = await other('BEGIN', `INSERT INTO keyless VALUES ('y')`);
    const cancel = new AbortController();
    const waiting = pair.prepare({ signal: cancel.signal });
    await said(JSON.stringify('the "application"'));
    cancel.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    await eventually('no slot is left', async () => !(await pair.objects()).includes('slot'));
    const again = pair.prepare();
    await writer.query('COMMIT');
    await again;
    expect(await pair.objects()).toContain('slot');
  });

  it('has a prepared transaction named that is waited for', async () => {
    const gid = `p4 ${pair.identity.migrationId}`;
    await other('BEGIN', `INSERT INTO keyless VALUES ('y')`, `PREPARE TRANSACTION '${gid}'`);
    const waiting = pair.prepare();
    try {
      await said(`waits for the end of the prepared transaction ${JSON.stringify(gid)}`);
    } finally {
      await pair.sql(`COMMIT PREPARED '${gid}'`);
    }
    await waiting;
  });

  it('sees the last of two attempts win, though the first hangs', async () => {
    const writer = await other('BEGIN', `INSERT INTO keyless VALUES ('y')`);
    const first = pair.prepare();
    const firstOutcome = first.catch((error: unknown) => error);
    await said('waits for the end of a transaction of process');
    const second = pair.prepare({ source: pair.endpoint('source', 2) });
    expect(await firstOutcome).toBeInstanceOf(FlexliftError);
    await writer.query('ROLLBACK');
    expect((await second).slot).toBe(pair.slot);
  });

  it('waits for a table that is locked, and holds up nobody else meanwhile', async () => {
    const holder = await other('BEGIN', 'LOCK TABLE single IN ACCESS EXCLUSIVE MODE');
    const waiting = pair.prepare({ keylessTables: 'full' });
    await said('waiting for table "public"."single", locked by process');
    const { rowCount } = await (await other(`SET lock_timeout = '1s'`)).query(`UPDATE keyless SET v = 'z'`);
    expect(rowCount).toBe(1);
    await holder.query('COMMIT');
    await waiting;
    expect(await pair.published()).toContain('keyed single');
  });

  it('has readers of a table whose identity is set wait only briefly', async () => {
    const holder = await other('BEGIN', 'SELECT FROM keyless');
    const waiting = pair.prepare({ keylessTables: 'full', lockTimeout: 5_000 });
    const reader = await other();
    let longest = 0;
    for (let round = 0; round < 8; round++) {
      const started = Date.now();
      await reader.query('SELECT FROM keyless');
      longest = Math.max(longest, Date.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(longest).toBeLessThan(2_500);
    await holder.query('COMMIT');
    await waiting;
  });

  it('loses its slot to a reader of ours only, which is ended', async () => {
    await pair.prepare();
    const foreign = await walsender('somebody else');
    await expect(pair.takeAway()).rejects.toMatchObject({
      code: 'Contention',
      message: expect.stringContaining('somebody else') as string,
    });
    await foreign.end();
    await walsender(`flexlift:${pair.identity.migrationId}:applyChanges:test:1`);
    await pair.takeAway();
    expect(await pair.objects()).toEqual([]);
  });

  async function walsender(applicationName: string): Promise<Client> {
    const { host, port, user } = testAddress(pair.majors.source);
    const client = new Client({
      ...{ host, port, user, database: pair.database },
      application_name: applicationName,
      ...{ replication: 'database' },
    });
    client.on('error', () => undefined);
    others.push(client);
    await client.connect();
    client
      .query(
        `START_REPLICATION SLOT ${pair.slot} LOGICAL 0/0 (proto_version '1', publication_names '"${pair.publications.keyed}"')`,
      )
      .catch(() => undefined);
    await eventually('the slot is read', async () => {
      const rows = await pair.sql('SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active', [
        pair.slot,
      ]);
      return rows.length > 0;
    });
    return client;
  }

  it('says that a slot is lost which the ledger relies on, until a new one is asked for', async () => {
    await pair.prepare();
    await pair.sql('SELECT pg_drop_replication_slot($1)', [pair.slot]);
    await expect(pair.prepare()).rejects.toMatchObject({ code: 'SlotLost' });
    await pair.renew();
    await pair.prepare();
    await pair.sql(`DROP PUBLICATION "${pair.publications.append}"`);
    await expect(pair.prepare()).rejects.toMatchObject({ code: 'SlotLost' });
  });

  it('begins with the slot of an attempt at a new one that could not note it', async () => {
    await pair.prepare();
    await withSession(17, pair.database, (client) => client.query(`UPDATE flexlift.stream SET lsn = '0/0'`));
    const { lsn } = await pair.prepare();
    expect(lsn).not.toBe('0/0');
    expect((await pair.prepare()).lsn).toBe(lsn);
  });

  it('does not go on with tables that were being emptied to be copied anew', async () => {
    await pair.prepare();
    await withSession(17, pair.database, (client) =>
      client.query('UPDATE flexlift.stream SET lsn = $1', [WITHOUT_SLOT.emptying]),
    );
    await expect(pair.prepare()).rejects.toMatchObject({ code: 'SlotLost' });
  });

  it('gets another slot where the publications had to be made after it', async () => {
    const first = await pair.prepare();
    await withSession(17, pair.database, (client) => client.query('DELETE FROM flexlift.stream'));
    expect((await pair.prepare()).lsn).toBe(first.lsn);
    await withSession(17, pair.database, (client) => client.query('DELETE FROM flexlift.stream'));
    await pair.sql(`DROP PUBLICATION "${pair.publications.keyed}"`);
    await pair.sql(`UPDATE single SET v = 'unpublished'`);
    expect((await pair.prepare()).lsn).not.toBe(first.lsn);
    await pair.sql(`UPDATE single SET v = 'published'`);
    expect((await pair.messages()).filter(({ kind }) => kind === 'U')).toHaveLength(1);
  });

  it('has none of it dumped', async () => {
    await pair.prepare({ keylessTables: 'full' });
    await pair.sql(`CREATE SCHEMA "flexlift_${pair.identity.migrationId}"
                      CREATE TABLE marker (id int PRIMARY KEY);
                    CREATE PUBLICATION theirs FOR TABLE single`);
    const endpoint = pair.endpoint('source');
    const { database } = pair;
    const file = await withSnapshot(endpoint, database, async (snapshot) =>
      dumpSchema({
        ...{ endpoint, database, snapshot },
        pgDump: await findPgDump({ sourceMajor: 14, targetMajor: 17 }),
        lockTimeoutMs: 5_000,
        signal: new AbortController().signal,
      }),
    );
    const { entries } = readArchive(file);
    const leftOut = leftOutEntries(entries, { noOwner: false, noPrivileges: false });
    const kept = entries.filter(({ dumpId }) => !leftOut.has(dumpId));
    expect(JSON.stringify(kept)).not.toContain(pair.identity.migrationId);
    expect(kept.map(({ description }) => description)).toContain('PUBLICATION TABLE');
  });
});

itInAll('publishes two thousand tables in one go', async () => {
  const pair = await PreparedPair.create(
    14,
    17,
    `DO $$ BEGIN FOR n IN 1..2000 LOOP
       EXECUTE format('CREATE TABLE t%s (id int %s)', n, CASE WHEN n %% 2 = 0 THEN 'PRIMARY KEY' END);
     END LOOP; END $$`.replaceAll('%%', '%'),
  );
  try {
    await pair.prepare({ keylessTables: 'full' });
    expect(await pair.published()).toHaveLength(2_000);
    await pair.takeAway();
    expect(Object.values(await pair.identities())).toEqual(Array.from({ length: 2_000 }, () => 'd'));
  } finally {
    await pair.drop();
  }
});
