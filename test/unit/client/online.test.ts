import type {
  DatabaseStatus,
  MigrationStatus,
  ReplicationProgress,
  ReplicationStatus,
} from '../../../contract';
import { changedOptions, comparableRequest } from '../../../client/comparable-request';
import { wantedMigration } from '../../../client/migration-request';
import { withLoads } from '../../../client/migration-snapshot';
import { hasEnded, isReadyForCutover } from '../../../client/readiness';
import { withReplications, type LiveReplication } from '../../../client/replication-figures';
import {
  checkCutoverOptions,
  checkDatabasesRequest,
  checkRecopyRequest,
} from '../../../client/update-requests';

const progress: ReplicationProgress = {
  at: '2026-01-31T10:00:00.000Z',
  lsn: '0/1',
  lagBytes: 900,
  lagSeconds: 9,
  changes: { transactions: 1, inserts: 1, updates: 0, deletes: 0, truncates: 0 },
  changesPerSecond: 1,
  retainedBytes: 1,
  stoppedTables: [],
  drift: [],
  proven: { tables: 1, total: 2 },
};
const answer: ReplicationStatus = { ...progress, state: 'ReadyForCutover' };
const drift = [{ kind: 'catalog' as const, object: 't', message: 'm' }];

function overlaid(
  live: LiveReplication[],
  change: Partial<DatabaseStatus> = {},
): ReplicationStatus | undefined {
  const status = { databases: [{ database: 'shop', ...change }] } as unknown as MigrationStatus;
  return withReplications(status, live).databases[0]?.replication;
}

describe('the figures of a replication', () => {
  test("are the newest: the applier's heartbeat over its workflow's answer over the status", () => {
    const old = { ...answer, lsn: '0/0' };
    expect(overlaid([], { replication: old })?.lsn).toBe('0/0');
    expect(overlaid([{ database: 'shop', answer }], { replication: old })?.lsn).toBe('0/1');
    const heartbeat = { ...progress, lsn: '0/2', lagBytes: 0 };
    const live = [
      { database: 'shop', answer },
      { database: 'shop', heartbeat },
    ];
    expect(overlaid(live, { replication: old })).toEqual({ ...answer, lsn: '0/2', lagBytes: 0 });
  });

  test('are not those of a database that is ready, while its applier waits for its next try', () => {
    const ready = { replication: answer };
    const live = { database: 'shop', heartbeat: progress };
    expect(overlaid([{ ...live, isInterrupted: false }], ready)?.state).toBe('ReadyForCutover');
    expect(overlaid([{ ...live, isInterrupted: true }], ready)?.state).toBe('CatchingUp');
    expect(overlaid([{ database: 'shop', isInterrupted: true }], ready)?.state).toBe('CatchingUp');
  });

  test('are of this database alone', () => {
    expect(overlaid([{ database: 'crm', answer }])).toBeUndefined();
  });

  test("keep the workflow's state and failure", () => {
    const failure = { code: 'SlotLost' as const, sentence: 'S.', remedy: 'R.' };
    const stopped = { ...answer, state: 'Stopped' as const, failure };
    expect(overlaid([{ database: 'shop', answer: stopped, heartbeat: progress }])).toEqual(stopped);
  });

  test('are there although only the applier has spoken', () => {
    expect(overlaid([{ database: 'shop', heartbeat: progress }])).toEqual({
      ...progress,
      state: 'CatchingUp',
    });
  });

  test("hide no drift and no proof that the applier doesn't know of, and no stop that it does", () => {
    const known = { ...answer, drift, proven: { tables: 2, total: 2 } };
    const heartbeat = {
      ...progress,
      stoppedTables: [{ table: 't', failure: {} as never }],
      proven: { tables: 0, total: 0 },
    };
    const shown = overlaid([{ database: 'shop', answer: known, heartbeat }]);
    expect(shown).toMatchObject({ drift, proven: { tables: 2 }, stoppedTables: [{ table: 't' }] });
    expect(overlaid([{ database: 'shop', answer, heartbeat: { ...progress, drift } }])?.drift).toEqual(drift);
  });
});

test("the new copy of a table does not stand for the database's amounts", () => {
  const copied = { tables: 9, rows: 9, bytes: 9 };
  const load = {
    database: 'shop',
    planned: copied,
    copied: { tables: 0, rows: 0, bytes: 0 },
    indexes: { total: 0, built: 0 },
  };
  const status = (phase: string) =>
    ({ databases: [{ database: 'shop', phase, copied }] }) as unknown as MigrationStatus;
  expect(withLoads(status('Replicate'), [load]).databases[0]?.copied).toEqual(copied);
  expect(withLoads(status('Load'), [load]).databases[0]?.copied).toEqual(load.copied);
});

test('a database is ready while it is replicated close behind, and no cutover runs', () => {
  const database = { phase: 'Replicate', replication: answer } as DatabaseStatus;
  expect(isReadyForCutover(database)).toBe(true);
  expect(isReadyForCutover({ ...database, cutover: { state: 'CalledOff' } as never })).toBe(true);
  expect(isReadyForCutover({ ...database, cutover: { state: 'Running' } as never })).toBe(false);
  expect(isReadyForCutover({ ...database, phase: 'Fence' })).toBe(false);
  expect(isReadyForCutover({ ...database, replication: { ...answer, state: 'Paused' } })).toBe(false);
  expect(hasEnded({ state: 'NeedsCleanup' })).toBe(true);
  expect(hasEnded({ state: 'WaitingForUserAction' })).toBe(false);
});

test('another treatment of tables without a key is another request', () => {
  const servers = { source: 'postgres://me@old/', target: 'postgres://me@new/', mode: 'Online' as const };
  const request = (change: object) => comparableRequest(wantedMigration({ ...servers, ...change }, {}));
  const changed = changedOptions(request({}), request({ keylessTables: 'full', timeouts: { segment: 7 } }));
  expect(changed.map(({ option }) => option).sort()).toEqual(['keylessTables', 'timeouts.segment']);
});

describe('requests', () => {
  test('of a cutover have safe defaults', () => {
    expect(checkCutoverOptions({})).toEqual({
      fence: 'read-only',
      maxLagBytes: 1024 ** 2,
      maxCompareBytes: 1024 ** 3,
    });
    const given = { databases: ['a'], fence: 'none' as const, maxLagBytes: 0, maxCompareBytes: 7 };
    expect(checkCutoverOptions(given)).toEqual(given);
  });

  test.each([
    [() => checkCutoverOptions({ fence: 'wall' as never }), /^fence: it has none of its values/],
    [() => checkCutoverOptions({ maxLagBytes: -1 }), /^maxLagBytes: it must not be negative/],
    [() => checkCutoverOptions({ maxCompareBytes: 0.5 }), /^maxCompareBytes: it must be a whole number/],
    [() => checkCutoverOptions({ maxLag: 1 } as never), /^maxLag: there is no such option/],
    [() => checkDatabasesRequest({ databases: [] }), /^databases: it must name at least one/],
    [() => checkDatabasesRequest({ databases: 'a' as never }), /^databases: it must be a list/],
    [() => checkRecopyRequest({ table: '' }), /^table: it must not be empty/],
  ])('are checked %#', (check, message) => expect(check).toThrow(message));
});
