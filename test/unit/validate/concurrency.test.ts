import { DEFAULT_LIMITS, type Concurrency, type MigrationRequest } from '../../../contract';
import { chooseConcurrency } from '../../../postgres/validate/concurrency';
import type { ServerSize } from '../../../postgres/validate/server-size';

const ALL = ['databasesAtOnce', 'copiesAtOnce', 'indexesAtOnce'] as const;

function chosen(
  source: Partial<ServerSize>,
  target: Partial<ServerSize>,
  change: Partial<MigrationRequest> = {},
  databases = 3,
): [databases: number, copies: number, indexes: number] {
  const size = { freeConnections: 100, standbys: 0 };
  const { databasesAtOnce, copiesAtOnce, indexesAtOnce } = chooseConcurrency(
    { limits: DEFAULT_LIMITS, openLimits: [...ALL], mode: 'Offline', ...change },
    databases,
    { source: { ...size, ...source }, target: { ...size, ...target } },
  );
  return [databasesAtOnce, copiesAtOnce, indexesAtOnce];
}

test.each<[string, Partial<ServerSize>, Partial<ServerSize>, number[]]>([
  ['nothing is known', {}, {}, [2, 4, 2]],
  ['a small pair', { cpus: 2 }, { cpus: 2 }, [2, 4, 2]],
  ['the smaller one counts', { cpus: 1 }, { cpus: 64 }, [2, 2, 4]],
  ['the target alone is known', {}, { cpus: 16 }, [2, 4, 4]],
  ['the source alone is known', { cpus: 16 }, {}, [2, 4, 2]],
  ['a standby of the target', { cpus: 4 }, { cpus: 4, standbys: 2 }, [2, 4, 2]],
  ['one of a large target', { cpus: 96 }, { cpus: 96, standbys: 1 }, [2, 4, 4]],
  ['one of a small target', { cpus: 1 }, { cpus: 1, standbys: 1 }, [2, 1, 2]],
  ['a managed pair with one', {}, { standbys: 1 }, [2, 2, 2]],
  ['one of the source does not count', { standbys: 1 }, {}, [2, 4, 2]],
  ['large ones', { cpus: 96 }, { cpus: 96 }, [2, 8, 4]],
  ['few connections: fewer copies', { freeConnections: 9 }, {}, [2, 1, 2]],
  ['fewer: one database at a time', { freeConnections: 5 }, {}, [1, 1, 2]],
  ['few on the target: fewer builds, too', {}, { freeConnections: 4 }, [1, 1, 1]],
  ['none', { freeConnections: 0 }, {}, [1, 1, 1]],
])('%s', (_, source, target, expected) => expect(chosen(source, target)).toEqual(expected));

test('what a person has set stays', () => {
  const limits = { ...DEFAULT_LIMITS, copiesAtOnce: 16 };
  const openLimits: (keyof Concurrency)[] = ['databasesAtOnce', 'indexesAtOnce'];
  const change = { limits, openLimits };
  expect(chosen({ cpus: 2 }, { cpus: 2 }, change)).toEqual([2, 16, 2]);
  expect(chosen({ freeConnections: 20 }, {}, change)).toEqual([1, 16, 2]);
});

test('online each database takes connections until its cutover', () => {
  expect(chosen({ freeConnections: 47 }, {}, { mode: 'Online' })).toEqual([2, 4, 2]);
  expect(chosen({ freeConnections: 46 }, {}, { mode: 'Online' })).toEqual([2, 3, 2]);
});
