import { createSampleRoles, loadSample, type SampleProgress } from '../../../embedded/sample';
import { FlexliftError } from '../../../contract';
import { dropTestDatabase, withSession } from '../../support/servers';
import {
  contentOf,
  dropTestSample,
  loadTestSample,
  sampleOptions,
  type Content,
  type TestSample,
} from './sample-content';

async function databasesLike(prefix: string): Promise<string[]> {
  return await withSession(14, 'postgres', async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname',
      [prefix],
    );
    return rows.map((row) => row.datname);
  });
}

/** What both hold under the same name with the same columns; newer majors have more. */
function inCommon(one: Content, other: Content): [Content, Content] {
  const shape = (text = '') => text.split(',')[0];
  const names = Object.keys(one).filter((name) => name in other && shape(one[name]) === shape(other[name]));
  const only = (content: Content) => Object.fromEntries(names.map((name) => [name, content[name] ?? '']));
  return [only(one), only(other)];
}

describe('the same rows at every load', () => {
  const samples: TestSample[] = [];
  afterAll(async () => {
    for (const sample of samples) await dropTestSample(sample);
  });

  test('twice on one server, and on another major', async () => {
    for (const major of [14, 14, 11] as const) samples.push(await loadTestSample(major));
    for (const database of ['shop', 'archive'] as const) {
      const [first = {}, second = {}, older = {}] = await Promise.all(
        samples.map((sample) => contentOf(sample.major, sample[database])),
      );
      expect(second).toEqual(first);
      const [common, commonOlder] = inCommon(first, older);
      expect(commonOlder).toEqual(common);
      // a few of the newer one's tables have columns that the older one can't have
      expect(Object.keys(common).length).toBeGreaterThan(Object.keys(older).length * 0.95);
    }
  });
});

describe('around a load', () => {
  test('a database that exists is an error and stays as it is, unless it is to be replaced', async () => {
    const options = sampleOptions(14);
    const archive = `${options.prefix}archive_latin1`;
    try {
      await withSession(14, 'postgres', (client) => client.query(`CREATE DATABASE "${archive}"`));
      const failure = await loadSample(options).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(FlexliftError);
      expect((failure as FlexliftError).code).toBe('TargetNotEmpty');
      expect((failure as FlexliftError).message).toContain(archive);
      expect(await databasesLike(options.prefix)).toEqual([archive]);

      const progress: SampleProgress[] = [];
      await withSession(14, archive, async () => {
        const { databases } = await loadSample({
          ...options,
          replace: true,
          onProgress: (one) => progress.push(one),
        });
        expect(databases).toEqual([`${options.prefix}shop`, archive]);
      });
      const files = progress[0]?.files;
      expect(progress.map((one) => one.filesDone)).toEqual(progress.map((_, index) => index + 1));
      expect(progress.at(-1)).toEqual({
        database: archive,
        file: 'archive_latin1/04-database.sql',
        filesDone: files,
        files,
      });
    } finally {
      await dropTestDatabase(14, `${options.prefix}shop`);
      await dropTestDatabase(14, archive);
    }
  });

  test('a cancelled load leaves no database', async () => {
    const options = sampleOptions(14);
    const abort = new AbortController();
    const load = loadSample({
      ...options,
      signal: abort.signal,
      onProgress: ({ file }) => {
        if (file === 'shop/12-orders.sql') abort.abort(new Error('enough'));
      },
    });
    await expect(load).rejects.toThrow('enough');
    expect(await databasesLike(options.prefix)).toEqual([]);
  });

  test('roles are made at the same moment by several, and again', async () => {
    const { address } = sampleOptions(15);
    await Promise.all([1, 2, 3].map(() => createSampleRoles({ address })));
    await createSampleRoles({ address });
  });

  test('the size follows the parameter', async () => {
    const options = { ...sampleOptions(15), megabytes: 12 };
    const sample: TestSample = {
      major: 15,
      shop: `${options.prefix}shop`,
      archive: `${options.prefix}archive_latin1`,
    };
    try {
      await loadSample(options);
      let bytes = 0;
      for (const database of [sample.shop, sample.archive]) {
        bytes += await withSession(15, database, async (client) => {
          const { rows } = await client.query<{ bytes: string }>(
            `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class
              WHERE relkind IN ('r', 'm') AND (oid >= 16384 OR relname = 'pg_largeobject')`,
          );
          return Number(rows[0]?.bytes);
        });
      }
      const megabytes = bytes / 1024 ** 2;
      expect(megabytes).toBeGreaterThan(12);
      expect(megabytes).toBeLessThan(20);
    } finally {
      await dropTestSample(sample);
    }
  });
});
