import { readCatalog } from '../../../postgres/compare';
import { quoteIdentifier } from '../../../postgres/connect';
import { beginCutover } from '../../../postgres/ledger';
import {
  classifyTables,
  cleanUpStatements,
  emitMarker,
  newSlot,
  preparedTransactions,
  restoreTargetIdentities,
  streamIdentities,
  takeAwaySourceObjects,
} from '../../../postgres/replicate/source';
import { withSession } from '../../support/servers';
import { PAIRS, PreparedPair } from './source-fixture';

const TABLES = `
  CREATE TABLE single (id int PRIMARY KEY, v text);
  CREATE TABLE composite (a int, b text, v text, PRIMARY KEY (b, a));
  CREATE TABLE keyless (v text);
  CREATE TABLE "no columns" ();
  CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE, v text);
  CREATE TABLE by_unique (id int NOT NULL UNIQUE, v text);
  CREATE TABLE by_nullable (id int UNIQUE, v text);
  CREATE TABLE by_partial (id int NOT NULL, v text); CREATE UNIQUE INDEX ON by_partial (id) WHERE id > 0;
  CREATE TABLE chosen (id int NOT NULL, v text); CREATE UNIQUE INDEX chosen_id ON chosen (id);
  ALTER TABLE chosen REPLICA IDENTITY USING INDEX chosen_id;
  CREATE TABLE lost (id int PRIMARY KEY, o int NOT NULL, v text); CREATE UNIQUE INDEX lost_o ON lost (o);
  ALTER TABLE lost REPLICA IDENTITY USING INDEX lost_o; DROP INDEX lost_o;
  CREATE TABLE whole (v text); ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE nothing (id int PRIMARY KEY, v text); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
  CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, v text);
  CREATE TABLE root (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
  CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (1000);
  CREATE TABLE "Q""uo'te 🐘
.x" (id int PRIMARY KEY, v text)`;

const GENERATED = `
  CREATE TABLE generated_whole (v text, g int GENERATED ALWAYS AS (length(v)) STORED);
  ALTER TABLE generated_whole REPLICA IDENTITY FULL;
  CREATE TABLE generated_key (v text, g int GENERATED ALWAYS AS (length(v)) STORED PRIMARY KEY);
  CREATE TABLE generated_keyless (v text, g int GENERATED ALWAYS AS (length(v)) STORED)`;

const TEMPORAL = `
  CREATE TABLE temporal (id int4range DEFAULT '[1,1]', r daterange DEFAULT '[2024-01-01,)', v text,
                         PRIMARY KEY (id, r WITHOUT OVERLAPS));
  CREATE TABLE temporal_chosen (id int4range NOT NULL DEFAULT '[1,1]', r daterange NOT NULL DEFAULT '(,)', v text);
  ALTER TABLE temporal_chosen ADD CONSTRAINT chosen_temporal UNIQUE (id, r WITHOUT OVERLAPS);
  ALTER TABLE temporal_chosen REPLICA IDENTITY USING INDEX chosen_temporal`;

describe.each(PAIRS)('a source of %d', (source, target) => {
  let pair: PreparedPair;
  const hasGenerated = source >= 12;
  const hasTemporal = source >= 18;

  beforeEach(async () => {
    const ddl = [TABLES, ...(hasGenerated ? [GENERATED] : []), ...(hasTemporal ? [TEMPORAL] : [])];
    pair = await PreparedPair.create(source, target, ...ddl);
  });
  afterEach(() => pair.drop());

  const KEYED = ['Q"uo\'te 🐘\n.x', 'chosen', 'composite', 'leaf', 'single'];
  const CONSENTED = ['by_unique', 'lost', 'nothing'];
  const KEYLESS = ['by_nullable', 'by_partial', 'deferred', 'keyless', 'no columns'];
  if (hasTemporal) KEYLESS.push('temporal');
  const UNALTERABLE = hasTemporal ? ['temporal_chosen'] : [];

  it('tells how the changes of each table come', async () => {
    const classify = async (keylessTables: 'append' | 'full') => {
      const tables = await pair.session((client) => classifyTables(client, { keylessTables }));
      return Object.fromEntries(
        tables.map((table) => [table.name, `${table.alterIdentity ? 'alter ' : ''}${table.identity}`]),
      );
    };
    const all = (names: string[], how: string) => Object.fromEntries(names.map((name) => [name, how]));
    const same = {
      ...all(KEYED, 'key'),
      ...all(UNALTERABLE, 'append'),
      whole: 'full',
      unlogged: 'late',
    };
    const generated = (how: string, whole: string) =>
      hasGenerated ? { generated_whole: whole, generated_key: how, generated_keyless: how } : {};
    const refused = source >= 18;
    expect(await classify('append')).toEqual({
      ...same,
      ...all([...CONSENTED, ...KEYLESS], 'append'),
      ...generated('append', refused ? 'append' : 'full'),
    });
    expect(await classify('full')).toEqual({
      ...same,
      ...all(CONSENTED, 'alter key'),
      ...all(KEYLESS, 'alter full'),
      ...generated(refused ? 'append' : 'alter full', refused ? 'append' : 'full'),
    });
  });

  it.each(['append', 'full'] as const)(
    'refuses the application nothing, and all is gone at the end: keyless tables %s',
    async (keylessTables) => {
      await pair.sql(
        `ALTER DATABASE ${quoteIdentifier(pair.database)} SET default_transaction_read_only = on`,
      );
      const before = await pair.identities();
      const catalog = await pair.session(readCatalog);
      const made = await pair.prepare({ keylessTables });
      expect(made.slot).toMatch(/^[a-z0-9_]{1,63}$/);
      expect(made.sourceObjects).toEqual(
        expect.arrayContaining([`slot ${pair.slot}`, `publication ${pair.publications.append}`]),
      );
      expect(await pair.prepare({ keylessTables })).toEqual(made);
      expect((await pair.session(readCatalog)).objects).toEqual(catalog.objects);

      await changeEverything(pair);
      const kinds = new Set((await pair.messages()).map(({ kind }) => kind));
      for (const kind of 'IUDT') expect(kinds).toContain(kind);

      await pair.takeAway();
      expect(await pair.objects()).toEqual([]);
      expect(await pair.identities()).toEqual({
        ...before,
        ...(keylessTables === 'full' ? { lost: 'd' } : {}),
      });
      expect(await pair.takeAway()).toEqual([]);
      await changeEverything(pair);
    },
  );

  it('publishes each table where its changes can be told, and a stream starts in the ledger', async () => {
    const { lsn, slot } = await pair.prepare();
    const published = await pair.published();
    expect(
      published.filter((line) => line.startsWith('keyed') && !line.includes('generated')).sort(),
    ).toEqual([...KEYED, 'whole'].map((name) => `keyed ${name}`).sort());
    expect(published).toEqual(
      expect.arrayContaining([...KEYLESS, ...UNALTERABLE].map((name) => `append ${name}`)),
    );
    expect(published.join()).not.toContain('unlogged');
    const rows = await withSession(target, pair.database, async (client) => {
      const result = await client.query(
        'SELECT slot, lsn, replica_role, system_identifier, timeline FROM flexlift.stream',
      );
      return result.rows as object[];
    });
    const [{ system_identifier } = { system_identifier: '' }] = await pair.sql<{ system_identifier: string }>(
      'SELECT system_identifier::text FROM pg_control_system()',
    );
    expect(rows).toEqual([{ slot, lsn, replica_role: true, system_identifier, timeline: 1 }]);
  });

  it('puts a marker into the stream of a database that is read-only', async () => {
    await pair.prepare();
    await pair.sql(`ALTER DATABASE ${quoteIdentifier(pair.database)} SET default_transaction_read_only = on`);
    for (const marker of ['first "🐘"', 'second']) {
      await emitMarker({
        source: pair.endpoint('source'),
        database: pair.database,
        migrationId: pair.identity.migrationId,
        marker,
        signal: new AbortController().signal,
      });
    }
    const found = (await pair.messages()).filter(({ text }) => /first "🐘"|second/.test(text));
    expect(found.map(({ kind }) => kind)).toEqual(source >= 14 ? ['M', 'M'] : ['I', 'U']);
  });

  it('is a new slot for a recopy, with the tables of today', async () => {
    const { lsn } = await pair.prepare();
    await pair.sql('CREATE TABLE later (id int PRIMARY KEY)');
    await pair.prepare();
    expect(await pair.published()).not.toContain('keyed later');
    await pair.sql('ALTER TABLE single DROP CONSTRAINT single_pkey');
    const renewed = await pair.renew();
    // a late attempt at it
    expect(await newSlot(pair.arguments())).toEqual(renewed);
    expect(await pair.published()).toEqual(expect.arrayContaining(['keyed later', 'append single']));
    expect(BigInt(`0x${renewed.lsn.replace('/', '')}`)).toBeGreaterThan(BigInt(`0x${lsn.replace('/', '')}`));
    await pair.sql(`INSERT INTO single VALUES (1, 'x'); UPDATE single SET v = 'y'`);
    expect((await pair.messages()).map(({ kind }) => kind).filter((kind) => 'IUD'.includes(kind))).toEqual([
      'I',
    ]);
  });

  it('is read from anew with the keys of today', async () => {
    await pair.prepare();
    await withSession(target, pair.database, async (client) => {
      for (const [table, identity] of [
        ['single', 'key'],
        ['keyless', 'append'],
        ['unlogged', 'late'],
      ]) {
        const [row] = await pair.sql<{ oid: number }>(`SELECT '${table}'::regclass::oid AS oid`);
        await client.query(
          `INSERT INTO flexlift.table_load (table_oid, schema_name, table_name, estimated_bytes, estimated_rows, parts, identity)
           VALUES ($1, 'public', $2, 0, 0, 1, $3)`,
          [row?.oid, table, identity],
        );
      }
      await pair.sql(
        'ALTER TABLE single DROP CONSTRAINT single_pkey; ALTER TABLE keyless ADD PRIMARY KEY (v)',
      );
      await pair.renew();
      const { rows } = await client.query<{ table_name: string; identity: string }>(
        'SELECT table_name, identity FROM flexlift.table_load ORDER BY 1',
      );
      expect(Object.fromEntries(rows.map((row) => [row.table_name, row.identity]))).toEqual({
        keyless: 'key',
        single: 'append',
        unlogged: 'late',
      });
    });
  });

  it('sends what its publications say, whatever keys there are by now', async () => {
    await pair.prepare();
    const identities = async () => {
      const options = { migrationId: pair.identity.migrationId, keylessTables: 'append' } as const;
      const tables = await pair.session((client) => streamIdentities(client, options));
      return new Map(tables.map(({ oid, identity }) => [oid, identity]));
    };
    const oidOf = async (table: string) =>
      (await pair.sql<{ oid: number }>(`SELECT '${table}'::regclass::oid AS oid`))[0]?.oid ?? 0;
    await pair.sql('ALTER TABLE keyless ADD PRIMARY KEY (v); CREATE TABLE later (id int PRIMARY KEY)');
    const found = await identities();
    expect(found.get(await oidOf('keyless'))).toBe('append');
    expect(found.get(await oidOf('single'))).toBe('key');
    expect(found.get(await oidOf('whole'))).toBe('full');
    expect(found.get(await oidOf('unlogged'))).toBe('late');
    expect(found.has(await oidOf('later'))).toBe(false);
    await pair.sql('ALTER TABLE single DROP CONSTRAINT single_pkey');
    await expect(identities()).rejects.toMatchObject({
      code: 'SchemaDrift',
      fields: { object: '"public"."single"' },
    });
  });

  it('gets publications that were altered set right for a new slot', async () => {
    await pair.prepare();
    const { keyed, append } = pair.publications;
    await pair.sql(`ALTER PUBLICATION ${keyed} SET (publish = 'insert')`);
    await pair.sql(`ALTER PUBLICATION ${append} SET (publish = 'insert, update, delete, truncate')`);
    if (source >= 15) {
      await pair.sql(`ALTER PUBLICATION ${keyed} DROP TABLE single`);
      await pair.sql(`ALTER PUBLICATION ${keyed} ADD TABLE single WHERE (id > 5)`);
    }
    await pair.renew();
    await pair.sql(
      `INSERT INTO single VALUES (1, 'x'); UPDATE single SET v = 'y'; UPDATE keyless SET v = 'still allowed'`,
    );
    expect((await pair.messages()).map(({ kind }) => kind).filter((kind) => 'IUD'.includes(kind))).toEqual([
      'I',
      'U',
    ]);
  });

  it('is taken away by hand as well', async () => {
    const before = await pair.identities();
    await pair.prepare({ keylessTables: 'full' });
    await pair.sql(`ALTER DATABASE ${quoteIdentifier(pair.database)} SET default_transaction_read_only = on`);
    for (let round = 1; round <= 2; round++) {
      await withSession(source, pair.database, async (client) => {
        for (const statement of cleanUpStatements(pair.identity.migrationId, pair.database)) {
          await client.query(statement);
        }
      });
    }
    expect(await pair.objects()).toEqual([]);
    expect(await pair.identities()).toEqual({ ...before, lost: 'd' });
  });

  it('gives the target the replica identities that the source had', async () => {
    await pair.prepare({ keylessTables: 'full' });
    await withSession(target, pair.database, (client) =>
      client.query(
        `${TABLES}; ${hasGenerated ? GENERATED : ''}; ${hasTemporal ? 'CREATE TABLE temporal ()' : ''};
         ALTER TABLE keyless REPLICA IDENTITY FULL`,
      ),
    );
    const attempt = await withSession(target, pair.database, (client) => beginCutover(client, pair.identity));
    const restore = (change: { attempt?: number } = {}) =>
      restoreTargetIdentities({
        source: pair.endpoint('source'),
        target: pair.endpoint('target'),
        database: pair.database,
        identity: pair.identity,
        attempt,
        signal: new AbortController().signal,
        ...change,
      });
    await expect(restore({ attempt: attempt - 1 })).rejects.toMatchObject({ code: 'CutoverRefused' });
    await restore();
    const { rows } = await withSession(target, pair.database, (client) =>
      client.query(
        `SELECT relname, relreplident FROM pg_class WHERE relname IN ('keyless', 'nothing', 'whole') ORDER BY 1`,
      ),
    );
    expect(rows).toEqual([
      { relname: 'keyless', relreplident: 'd' },
      { relname: 'nothing', relreplident: 'n' },
      { relname: 'whole', relreplident: 'f' },
    ]);
    await withSession(target, pair.database, async (client) => {
      await client.query('BEGIN; LOCK TABLE keyless');
      await restore();
    });
  });

  it('takes no superuser on either side', async () => {
    const role = `p4_${pair.identity.migrationId}`;
    const as = (side: 'source' | 'target') => {
      const endpoint = pair.endpoint(side);
      return { ...endpoint, address: { ...endpoint.address, user: role } };
    };
    const database = quoteIdentifier(pair.database);
    await pair.sql(`CREATE ROLE ${role} LOGIN REPLICATION; GRANT CREATE ON DATABASE ${database} TO ${role};
      DO $$ DECLARE t regclass; BEGIN
        FOR t IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace LOOP
          EXECUTE format('ALTER TABLE %s OWNER TO ${role}', t);
        END LOOP; END $$; GRANT USAGE ON SCHEMA public TO ${role}`);
    const onTarget = (text: string) => withSession(target, pair.database, (client) => client.query(text));
    await onTarget(`CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA flexlift TO ${role};
                    GRANT ALL ON ALL TABLES IN SCHEMA flexlift TO ${role}`);
    try {
      await pair.prepare({ keylessTables: 'full', source: as('source'), target: as('target') });
      const { rows } = await onTarget('SELECT replica_role FROM flexlift.stream');
      expect(rows).toEqual([{ replica_role: false }]);
      await takeAwaySourceObjects({
        ...{ source: as('source'), database: pair.database, signal: new AbortController().signal },
        liftFence: () => Promise.resolve(),
      });
      expect(await pair.objects()).toEqual([]);
    } finally {
      await pair.sql(`REASSIGN OWNED BY ${role} TO postgres; DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await onTarget(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('names the prepared transactions of the database', async () => {
    const gid = `p4 ${pair.identity.migrationId} "'`;
    await withSession(source, pair.database, async (client) => {
      await client.query(`BEGIN; INSERT INTO keyless VALUES ('x')`);
      await client.query(`PREPARE TRANSACTION '${gid.replaceAll("'", "''")}'`);
    });
    expect(await pair.session(preparedTransactions)).toEqual([gid]);
    await pair.sql(`ROLLBACK PREPARED '${gid.replaceAll("'", "''")}'`);
    expect(await pair.session(preparedTransactions)).toEqual([]);
  });
});

/** What an application does to its tables: each statement must work. */
async function changeEverything(pair: PreparedPair): Promise<void> {
  const tables = await pair.sql<{ table: string; key: string }>(
    `SELECT c.oid::regclass::text AS "table",
            (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
              WHERE attrelid = c.oid AND attnum > 0 AND attnotnull AND NOT atthasdef) AS key
       FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace`,
  );
  await withSession(pair.majors.source, pair.database, async (client) => {
    await client.query('SET default_transaction_read_only = off');
    for (const { table, key } of tables) {
      if (table === '"no columns"') {
        await client.query(`INSERT INTO ${table} DEFAULT VALUES; DELETE FROM ${table}`);
        continue;
      }
      const columns = key === null ? 'v' : `${key}, v`;
      const keys =
        key === null
          ? ''
          : `${key
              .split(', ')
              .map(() => '1')
              .join(', ')}, `;
      await client.query(`INSERT INTO ${table} (${columns}) VALUES (${keys}'x')`);
      await client.query(`UPDATE ${table} SET v = 'yy'`);
      await client.query(`DELETE FROM ${table}`);
      await client.query(`TRUNCATE ${table}`);
    }
  });
}
