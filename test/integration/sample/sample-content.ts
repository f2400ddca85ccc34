import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { loadSample, type LoadSampleOptions } from '../../../embedded/sample';
import { dropTestDatabase, testAddress, withSession, type Major } from '../../support/servers';

export const TEST_MEGABYTES = 1;

export interface TestSample {
  major: Major;
  shop: string;
  archive: string;
}

export function samplePrefix(): string {
  return `sample_${randomBytes(4).toString('hex')}_`;
}

export function sampleOptions(major: Major, prefix = samplePrefix()): LoadSampleOptions & { prefix: string } {
  const { host, port, user } = testAddress(major);
  return { address: { host, port, user }, megabytes: TEST_MEGABYTES, prefix };
}

export async function loadTestSample(major: Major): Promise<TestSample> {
  const { databases } = await loadSample(sampleOptions(major));
  const [shop = '', archive = ''] = databases;
  return { major, shop, archive };
}

export async function dropTestSample(sample: TestSample | undefined): Promise<void> {
  if (sample === undefined) return;
  await dropTestDatabase(sample.major, sample.shop);
  await dropTestDatabase(sample.major, sample.archive);
}

/** What one database holds, by the name of its object: rows and a sum of row hashes, a sequence's state, bytes. */
export type Content = Record<string, string>;

export async function contentOf(major: Major, database: string): Promise<Content> {
  return await withSession(major, database, async (client) => {
    await useCanonicalOutput(client);
    return { ...(await relations(client)), ...(await sequences(client)), ...(await largeObjects(client)) };
  });
}

/** Text that is the same on every major: 15 digits of a float, for 11 prints the others in its own way. */
async function useCanonicalOutput(client: Client): Promise<void> {
  await client.query(
    `SET search_path = ''; SET extra_float_digits = 0; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
     SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET client_encoding = 'UTF8'`,
  );
}

async function relations(client: Client): Promise<Content> {
  const { rows } = await client.query<{ name: string; columns: string }>(
    `SELECT c.oid::regclass::text AS name,
            (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
  );
  const content: Content = {};
  for (const { name, columns } of rows) {
    const { rows: sums } = await client.query<{ count: string; sum: string }>(
      `SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) AS sum FROM ONLY ${name} t`,
    );
    content[name] = `${columns} columns, ${sums[0]?.count} rows, ${sums[0]?.sum}`;
  }
  return content;
}

async function sequences(client: Client): Promise<Content> {
  const { rows } = await client.query<{ name: string; last: string | null }>(
    `SELECT seqrelid::regclass::text AS name, pg_sequence_last_value(seqrelid) AS last FROM pg_sequence`,
  );
  return Object.fromEntries(rows.map(({ name, last }) => [`sequence ${name}`, String(last)]));
}

async function largeObjects(client: Client): Promise<Content> {
  const { rows } = await client.query<{ oid: string; sum: string }>(
    `SELECT m.oid::text, encode(sha256(lo_get(m.oid)), 'hex') AS sum FROM pg_largeobject_metadata m`,
  );
  return Object.fromEntries(rows.map(({ oid, sum }) => [`large object ${oid}`, sum]));
}
