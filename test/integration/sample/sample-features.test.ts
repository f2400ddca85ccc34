import { withSession, type Major } from '../../support/servers';
import { dropTestSample, loadTestSample, type TestSample } from './sample-content';
import { SHOP_FEATURES } from './shop-features';

const USER_TABLES = `SELECT count(*)::integer AS count FROM pg_class c
  WHERE c.relkind = 'r' AND c.oid >= 16384 AND c.relnamespace <> 'information_schema'::regnamespace`;

describe.each<[Major]>([[11], [14], [15], [18]])('the sample on PostgreSQL %i', (major) => {
  let sample: TestSample | undefined;
  beforeAll(async () => {
    sample = await loadTestSample(major);
  });
  afterAll(async () => {
    await dropTestSample(sample);
  });

  test('holds at least 40 tables', async () => {
    await withSession(major, sample?.shop ?? '', async (client) => {
      const { rows } = await client.query<{ count: number }>(USER_TABLES);
      expect(rows[0]?.count).toBeGreaterThanOrEqual(40);
    });
  });

  test('has every feature it is meant to have', async () => {
    const expected = SHOP_FEATURES.filter((feature) => (feature.from ?? 0) <= major);
    const missing = await withSession(major, sample?.shop ?? '', async (client) => {
      await client.query(`SET search_path = ''`);
      const found: string[] = [];
      for (const { name, is } of expected) {
        const { rows } = await client.query<{ is: boolean }>(`SELECT (${is}) AS is`);
        if (rows[0]?.is !== true) found.push(name);
      }
      return found;
    });
    expect(missing).toEqual([]);
  });

  test('has an archive in LATIN1, with its letters in names and rows', async () => {
    await withSession(major, sample?.archive ?? '', async (client) => {
      const { rows } = await client.query<{
        encoding: string;
        collate: string;
        letters: string;
        name: string;
      }>(
        `SELECT pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate,
                (SELECT string_agg(zeichen, '' ORDER BY nr) FROM archiv.zeichen WHERE nr > 160) AS letters,
                (SELECT max(relname) FROM pg_class WHERE relname LIKE 'Straßen') AS name
           FROM pg_database d WHERE d.datname = current_database()`,
      );
      const letters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(161 + index)).join('');
      expect(rows[0]).toEqual({ encoding: 'LATIN1', collate: 'C', letters, name: 'Straßen' });
    });
  });
});
