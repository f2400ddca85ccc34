import type { Client } from 'pg';
import type { BenchServers } from '../support/bench-servers';
import { poll, withSession } from '../support/sessions';

/** The database that is moved; it has the same name on both sides. */
export const DATABASE = 'outage';
/** On the source: it as every run begins with it. */
export const FILLED = 'outage_filled';

export const BRANCHES = 50;
export const TELLERS = 500;
const GIGABYTE = 1024 ** 3;
/** With its part of the key's index. */
const ACCOUNT_BYTES = 158;
const DOCUMENT_BYTES = 1_200;
/** So many tables are made in a transaction, for each holds locks. */
const TABLES_AT_ONCE = 100;
/** Milliseconds. */
const LOOK_INTERVAL = 100;

/** What the writer has to choose from. */
export interface Filling {
  gigabytes: number;
  /** Tables of a few rows, beside those that are written to. */
  tables: number;
  accounts: number;
  documents: number;
}

/** Half of the data in short rows, as pgbench has them, half in rows of a kilobyte. */
export function fillingOf(gigabytes: number, tables: number): Filling {
  const half = (gigabytes * GIGABYTE) / 2;
  return {
    gigabytes,
    tables,
    accounts: Math.round(half / ACCOUNT_BYTES),
    documents: Math.round(half / DOCUMENT_BYTES),
  };
}

const TABLES = `
  CREATE TABLE branches (id int, balance bigint NOT NULL, filler text NOT NULL);
  CREATE TABLE tellers (id int, branch int NOT NULL, balance bigint NOT NULL, filler text NOT NULL);
  CREATE TABLE accounts (id bigint, branch int NOT NULL, balance bigint NOT NULL, filler text NOT NULL);
  CREATE TABLE documents (id bigserial, account bigint NOT NULL, revision int NOT NULL, body text NOT NULL);
  CREATE TABLE history (
    session int, number bigint, account bigint NOT NULL, teller int NOT NULL, branch int NOT NULL, delta int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (session, number));
  INSERT INTO branches SELECT g, 0, repeat('b', 80) FROM generate_series(1, ${BRANCHES}) g;
  INSERT INTO tellers SELECT g, 1 + g % ${BRANCHES}, 0, repeat('t', 80) FROM generate_series(1, ${TELLERS}) g;
  ALTER TABLE branches ADD PRIMARY KEY (id);
  ALTER TABLE tellers ADD PRIMARY KEY (id), ADD FOREIGN KEY (branch) REFERENCES branches`;

/** Makes the database that the runs copy theirs from. */
export async function fillSource({ source }: BenchServers, filling: Filling): Promise<void> {
  await withSession(source, 'postgres', (client) => client.query(`CREATE DATABASE ${FILLED}`));
  const run = (statements: string[]) =>
    withSession(source, FILLED, async (client) => {
      for (const statement of statements) await client.query(statement);
    });
  await run([TABLES]);
  await Promise.all([run(accounts(filling)), run(documents(filling)), run(fewRows(filling))]);
  await run(['VACUUM ANALYZE']);
}

function accounts(filling: Filling): string[] {
  return [
    `INSERT INTO accounts SELECT g, 1 + g % ${BRANCHES}, 0, repeat('a', 84) FROM generate_series(1, ${filling.accounts}) g`,
    'ALTER TABLE accounts ADD PRIMARY KEY (id)',
  ];
}

function documents(filling: Filling): string[] {
  return [
    `INSERT INTO documents (account, revision, body) SELECT g, 0, repeat(md5(g::text), 34) FROM generate_series(1, ${filling.documents}) g`,
    'ALTER TABLE documents ADD PRIMARY KEY (id)',
  ];
}

function fewRows({ tables }: Filling): string[] {
  if (tables === 0) return [];
  return [
    `DO $$ BEGIN
       FOR n IN 1 .. ${tables} LOOP
         EXECUTE format('CREATE TABLE other_%s (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), note text)', n);
         EXECUTE format('INSERT INTO other_%s (id, note) SELECT g, ''note '' || g FROM generate_series(1, 3) g', n);
         IF n % ${TABLES_AT_ONCE} = 0 THEN COMMIT; END IF;
       END LOOP;
     END $$`,
  ];
}

type Servers = Pick<BenchServers, 'source' | 'target'> & { signal: AbortSignal };

/** A fresh copy of the source, and nothing on the target, with nothing left to write out on either. */
export async function freshDatabases(servers: Servers): Promise<void> {
  const { source, target } = servers;
  await dropDatabases(servers);
  await withSession(source, 'postgres', async (client) => {
    await client.query(`CREATE DATABASE ${DATABASE} TEMPLATE ${FILLED} STRATEGY file_copy`);
    await client.query('CHECKPOINT');
  });
  await withSession(target, 'postgres', (client) => client.query('CHECKPOINT'));
}

/** Both sides' databases, and what a run left in their servers. */
export async function dropDatabases({ source, target, signal }: Servers): Promise<void> {
  await withSession(source, 'postgres', async (client) => {
    await poll(LOOK_INTERVAL, signal, () => dropSlots(client));
    await client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
  });
  await withSession(target, 'postgres', async (client) => {
    await client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
    await client.query('SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin');
  });
}

/** A slot is in use for a moment after the end of whoever used it. */
async function dropSlots(client: Client): Promise<true | undefined> {
  await client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
  const { rowCount } = await client.query('SELECT FROM pg_replication_slots');
  return rowCount === 0 ? true : undefined;
}
