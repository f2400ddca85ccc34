import { completeScopeStep } from '../../../activities/complete-scope';
import { copyGroupStep, copyLargeObjectsStep, copyPartStep } from '../../../activities/copy-rows';
import { Pair, tableNamed } from './fixture';
import { stepRun } from './step-run';

let pair: Pair;

beforeEach(async () => {
  pair = await Pair.create(14, 17);
});
afterEach(() => pair.drop());

async function completeScope({ compare } = { compare: false }): Promise<object[]> {
  const run = stepRun(pair, 'completeScope', 'Offline');
  const request = { ...run.request, compare };
  await completeScopeStep({ request, database: pair.databases.source }, { ...run, request });
  return await pair.sql('target', 'SELECT state FROM flexlift.scope');
}

it('gives the snapshot up once all is copied, and finds that done', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.sql('source', 'INSERT INTO t VALUES (1)');
  await pair.copyAll();
  await pair.sql('target', 'DELETE FROM flexlift.large_object_batch');
  expect(await completeScope()).toEqual([{ state: 'complete' }]);
  expect(await completeScope()).toEqual([{ state: 'complete' }]);
});

it('answers whoever asks for what is copied, for no keeper will come', async () => {
  await pair.both('CREATE TABLE large (id int); CREATE TABLE small (id int)');
  await pair.sql('source', 'INSERT INTO large SELECT generate_series(1, 5000); ANALYZE large');
  const large = tableNamed(await pair.copyAll({ groupBytes: 65_536 }), 'large');
  await pair.sql('target', 'DELETE FROM flexlift.large_object_batch');
  await completeScope();
  const step = <Work extends object>(activity: string, work: Work) => {
    const run = stepRun(pair, activity, 'Offline');
    return [{ request: run.request, database: pair.databases.source, ...work }, run] as const;
  };
  const part = await copyPartStep(...step('copyPart', { table: large, part: 1 }));
  expect(part).toMatchObject({ rows: 5000 });
  expect(await copyGroupStep(...step('copyGroup', { group: 1 }))).toMatchObject({ rows: 0 });
  expect(await copyLargeObjectsStep(...step('copyLargeObjects', { batch: 1 }))).toMatchObject({ bytes: 0 });
});

it('keeps it while something is left', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.copyAll();
  await pair.sql('target', 'DELETE FROM flexlift.large_object_batch');
  await pair.sql('target', 'UPDATE flexlift.part SET copied_at = NULL');
  expect(await completeScope()).toEqual([{ state: 'open' }]);
});

it('keeps it while a checksum is to be taken under it', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.copyAll();
  await pair.sql('target', 'DELETE FROM flexlift.large_object_batch');
  expect(await completeScope({ compare: true })).toEqual([{ state: 'open' }]);
});

it('waits for the next keeper where there is none', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.copyAll();
  await pair.sql('target', `UPDATE flexlift.scope SET state = 'dead'`);
  await expect(completeScope()).rejects.toMatchObject({ code: 'SnapshotLost' });
});

it('keeps it for what a crash of the target empties', async () => {
  await pair.both('CREATE UNLOGGED TABLE t (id int)');
  await pair.copyAll();
  await pair.sql('target', 'DELETE FROM flexlift.large_object_batch');
  expect(await completeScope()).toEqual([{ state: 'open' }]);
});
