import { createColors } from 'picocolors';
import type { CutoverReport, DatabaseStatus } from '../../../contract';
import { ProgressMeter, type MigrationSnapshot } from '../../../client';
import { progressLines, trouble } from '../../../cli/live/progress-lines';
import { PlainView } from '../../../cli/live/progress-view';
import { cutoverText, replicationText } from '../../../cli/live/replication-lines';
import { cutover, database, failure, migration, replication } from './online-fixtures';

function snapshot(databases: DatabaseStatus[], second = 6): MigrationSnapshot {
  return {
    version: 1,
    takenAt: new Date(Date.parse('2026-01-31T10:00:00Z') + second * 1_000).toISOString(),
    name: 'm',
    workflowId: 'w',
    runId: 'r',
    running: true,
    status: migration(databases),
    loads: [],
    activities: [],
  };
}

function lines(of: MigrationSnapshot): string[] {
  return progressLines(of, new ProgressMeter().measure(of), { colors: createColors(false), databases: 9 });
}

test('a replication shows state, lag, rate, changes by kind, retained WAL and proofs', () => {
  expect(lines(snapshot([database()]))).toEqual([
    'shop  Replicate  ready for cutover, 12.3 kB and 0.4 s behind, 532 changes/s, ' +
      '12,345 inserts, 1 delete in 678 transactions, source keeps 16.0 MB of WAL, 14/20 tables proven',
  ]);
});

test('foreign keys that wait for the cutover are counted', () => {
  const text = (waitingForeignKeys: number) => {
    const waiting = replication({ waitingForeignKeys });
    return replicationText(waiting, Date.parse(waiting.at));
  };
  expect(text(0)).toMatch(/tables proven$/);
  expect(text(1)).toMatch(/tables proven, 1 foreign key left to the cutover$/);
});

test('a limit of retained WAL is shown with the time until it is reached', () => {
  const limited = replication({ retainedLimitBytes: 1_000_000_000, secondsToLimit: 7_500 });
  expect(replicationText(limited, Date.parse(limited.at))).toContain(
    'source keeps 16.0 MB of 1.0 GB of WAL, full in 2 h 5 min',
  );
  expect(trouble(snapshot([database({ replication: limited })]))).toEqual([]);
  const near = database({ replication: { ...limited, secondsToLimit: 600 } });
  expect(trouble(snapshot([near]))).toEqual([expect.stringMatching(/^shop: .*max_slot_wal_keep_size/)]);
});

test('a new copy of a table beside the replication shows its bytes', () => {
  const recopying: MigrationSnapshot = {
    ...snapshot([database()]),
    loads: [
      {
        database: 'shop',
        planned: { tables: 1, rows: 0, bytes: 4_000_000 },
        copied: { tables: 0, rows: 0, bytes: 1_000_000 },
        indexes: { total: 0, built: 0 },
      },
    ],
  };
  expect(lines(recopying)[0]).toContain('behind, copying anew 1.0 MB of about 4.0 MB, 532 changes/s');
});

test('the steps of a cutover come in their order, each with its time', () => {
  const running = cutover({ state: 'Running', fencedSeconds: undefined, endedAt: undefined });
  const [line, ...rest] = lines(
    snapshot([database({ phase: 'PostData', state: 'InProgress', cutover: running })]),
  );
  expect(line).toBe(
    'shop  PostData  cutover 2 for 6.0 s, source fenced for 4.0 s, Prove 1.6 s, Fence 0.2 s, Drain 0.5 s',
  );
  expect(rest).toEqual([]);
  const before: CutoverReport = { ...running, fencedAt: undefined, underWay: ['Prove'], seconds: {} };
  const at = Date.parse('2026-01-31T10:00:01Z');
  expect(cutoverText(before, at)).toBe('cutover 2 for 1.0 s');
  expect(cutoverText({ ...before, underWay: ['LateRows', 'Compare'] }, at)).toBe(
    'cutover 2 for 1.0 s, LateRows and Compare side by side',
  );
});

describe('what a person should look at', () => {
  const told = (change: Partial<DatabaseStatus>) => trouble(snapshot([database(change)]));

  test('a stopped table, with sentence and remedy', () => {
    const stoppedTables = [{ table: '"public"."a\nb"', failure }];
    expect(told({ replication: replication({ stoppedTables }) })).toEqual([
      'shop: table "public"."a\\x0ab" stopped: A row that is to be updated is missing. Copy the table anew: flexlift recopy.',
    ]);
  });

  test('what proofs wait for', () => {
    const proofsPostponed = 'Transactions have been running for too long.';
    expect(told({ replication: replication({ proofsPostponed }) })).toEqual([
      'shop: proofs wait: Transactions have been running for too long.',
    ]);
  });

  test('of many only some', () => {
    const stoppedTables = Array.from({ length: 50 }, (_, index) => ({ table: `t${index}`, failure }));
    const all = told({ replication: replication({ stoppedTables }) });
    expect(all).toHaveLength(6);
    expect(all[5]).toBe('shop: and 45 more like this; see --json.');
  });

  test('drift, with what to do about it', () => {
    const drift = [{ kind: 'catalog' as const, object: '"t"', message: 'The source has a column more.' }];
    expect(told({ database: "o'shop", replication: replication({ drift }) })).toEqual([
      `o'shop: schema drift in "t": The source has a column more.`,
      expect.stringMatching(
        /Undo it; or make it .*flexlift resume m --database 'o'\\''shop' --accept-drift\.$/,
      ),
    ]);
  });

  test('a stop, a pause, a cutover that was called off, an order that failed', () => {
    expect(told({ replication: replication({ state: 'Stopped', failure }) })).toEqual([
      expect.stringContaining('shop: stopped: A row that'),
    ]);
    expect(told({ replication: replication({ state: 'Paused' }) })).toEqual([
      expect.stringContaining('flexlift resume m'),
    ]);
    expect(told({ cutover: cutover({ state: 'CalledOff', failure }) })).toEqual([
      expect.stringContaining('shop: cutover 2 was called off: A row that'),
    ]);
    expect(told({ notice: failure })).toEqual([expect.stringContaining('shop: A row that')]);
  });

  test('not what a database has left behind', () => {
    const stoppedTables = [{ table: 't', failure }];
    expect(told({ state: 'Failed', replication: replication({ stoppedTables }) })).toEqual([]);
    expect(told({ phase: 'Fence', cutover: cutover({ state: 'Running' }) })).toEqual([]);
  });
});

test('a database that needs cleaning up says so', () => {
  expect(lines(snapshot([database({ state: 'NeedsCleanup' })]))[0]).toMatch(/Replicate +needs clean-up$/);
});

test('a log tells a change of state at once, else the figures every minute', () => {
  const said: string[] = [];
  const view = new PlainView({ say: (text) => void said.push(text) });
  const show = (second: number, change: Partial<DatabaseStatus> = {}) => {
    const of = snapshot([database(change)], second);
    view.show(of, new ProgressMeter().measure(of));
  };
  for (let second = 0; second <= 60; second += 1) show(second);
  expect(said).toHaveLength(2);
  show(61, { replication: replication({ state: 'CatchingUp' }) });
  expect(said[2]).toContain('catching up');
  const running = cutover({ state: 'Running', seconds: {} });
  show(62, { state: 'InProgress', phase: 'Fence', cutover: running });
  show(63, { state: 'InProgress', phase: 'Drain', cutover: running });
  expect(said.slice(3).map((line) => line.split(' ')[1])).toEqual(['Fence', 'Drain']);
});
