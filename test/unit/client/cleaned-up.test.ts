import type { DatabaseStatus, MigrationStatus } from '../../../contract';
import { withCleanedUp } from '../../../client/cleaned-up';

function database(name: string): DatabaseStatus {
  const left = { sourceObjects: [`slot of ${name}`], cleanUpSql: 'SELECT pg_drop_replication_slot(…)' };
  return { database: name, state: 'NeedsCleanup', phase: 'Replicate', ...left } as DatabaseStatus;
}

const status = {
  state: 'NeedsCleanup',
  failure: { code: 'CleanUpNeeded', sentence: 'It could not be reached.', remedy: 'Clean up.' },
  databases: [database('a'), database('b')],
} as MigrationStatus;

test('what was cleaned up needs no clean-up any more', () => {
  const half = withCleanedUp(status, ['a']);
  expect(half.databases.map(({ state }) => state)).toEqual(['Canceled', 'NeedsCleanup']);
  expect(half.databases.map(({ cleanUpSql }) => cleanUpSql !== undefined)).toEqual([false, true]);
  expect(half).toMatchObject({ state: 'NeedsCleanup', failure: { code: 'CleanUpNeeded' } });

  const all = withCleanedUp(status, ['a', 'b']);
  expect(all.databases.map(({ state, sourceObjects }) => [state, sourceObjects])).toEqual([
    ['Canceled', undefined],
    ['Canceled', undefined],
  ]);
  expect(all.state).toBe('Canceled');
  expect(all.failure).toBeUndefined();
});
