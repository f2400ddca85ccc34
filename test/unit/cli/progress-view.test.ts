import { createColors } from 'picocolors';
import type { DatabaseProgress, MigrationSnapshot, RunningActivity } from '../../../client';
import { progressLines, trouble } from '../../../cli/live/progress-lines';
import { PlainView } from '../../../cli/live/progress-view';

const colors = createColors(false);

function figures(change: Partial<DatabaseProgress> = {}): DatabaseProgress {
  return {
    database: 'shop',
    state: 'InProgress',
    phase: 'Load',
    tables: { done: 3, total: 12 },
    rows: 4_567,
    bytes: { done: 50_000_000, total: 100_000_000 },
    ...change,
  };
}

function snapshot(change: Partial<MigrationSnapshot> = {}, second = 0): MigrationSnapshot {
  return {
    version: 1,
    takenAt: new Date(second * 1_000).toISOString(),
    name: 'm',
    workflowId: 'w',
    runId: 'r',
    running: true,
    loads: [],
    activities: [],
    ...change,
  };
}

function failed(change: Partial<RunningActivity> = {}): RunningActivity {
  const failure = { code: 'Unreachable' as const, sentence: 'No answer.', remedy: 'Check it.' };
  return {
    ...{ database: 'shop', activity: 'copyPart', what: 'part 1', rows: 0, bytes: 0, attempt: 3 },
    ...{ state: 'waiting' as const, failure, nextTryAt: new Date(5_000).toISOString() },
    ...change,
  };
}

const lines = (all: DatabaseProgress[], of = snapshot(), databases = 10) =>
  progressLines(of, all, { colors, databases });

test('a load shows a bar, amounts, rate and the time left', () => {
  const [line] = lines([
    figures({ bytesPerSecond: 2_000_000, secondsLeft: 25, indexes: { done: 1, total: 4 } }),
  ]);
  expect(line).toBe(
    'shop  Load  ██████████░░░░░░░░░░  50%  2.0 MB/s, 25 s left, ' +
      '50.0 MB of about 100.0 MB, 3/12 tables, 1/4 indexes, 4,567 rows',
  );
});

test('other phases show no bar, a failed database says so', () => {
  expect(lines([figures({ phase: 'Compare' })])[0]).not.toContain('█');
  expect(lines([figures({ state: 'Failed', phase: 'PostData' })])[0]).toMatch(/PostData +failed/);
});

test('before the databases are known it says what is waited for', () => {
  expect(lines([])).toEqual(['Waiting for a worker']);
  expect(lines([], snapshot({ status: { databases: [] } as never }))).toEqual(['Validating']);
});

test('many databases are cut to those under way', () => {
  const many = Array.from({ length: 50 }, (_, index) =>
    figures({ database: `d${index}`, phase: index < 20 ? 'Done' : index < 22 ? 'Load' : 'Queued' }),
  );
  const shown = lines(many, snapshot(), 4);
  expect(shown).toHaveLength(5);
  expect(shown.slice(0, 2).join()).toMatch(/d20.*d21/);
  expect(shown[4]).toBe('and 46 more: 20 done, 26 queued, 0 others');
});

test('a retrying step shows its sentence, remedy, attempt and next try; equal ones share a line', () => {
  const same = [failed(), failed({ what: 'part 2', attempt: 4, nextTryAt: new Date(9_000).toISOString() })];
  expect(trouble(snapshot({ activities: same }))).toEqual([
    'shop: No answer. Check it. (part 1, part 2, attempt 4, next try in 5.0 s)',
  ]);
});

test('a step that works again is no trouble any more', () => {
  expect(trouble(snapshot({ activities: [failed({ state: 'running', bytes: 10 })] }))).toEqual([]);
  expect(trouble(snapshot({ activities: [failed({ state: 'running' })] }))).toHaveLength(1);
});

describe('lines for a log', () => {
  function told(): { view: PlainView; said: string[] } {
    const said: string[] = [];
    return { view: new PlainView({ say: (text) => void said.push(text) }), said };
  }

  test('tell a change at once, else the figures every ten seconds', () => {
    const { view, said } = told();
    for (let second = 0; second <= 20; second += 1) view.show(snapshot({}, second), [figures()]);
    view.show(snapshot({}, 20), [figures({ phase: 'PostData' })]);
    expect(said.map((line) => line.split(' ')[1])).toEqual(['Load', 'Load', 'Load', 'PostData']);
  });

  test('do not repeat what waits or has ended', () => {
    const { view, said } = told();
    const still = [
      figures({ phase: 'Queued' }),
      figures({ database: 'b', phase: 'Done', state: 'Succeeded' }),
    ];
    for (let second = 0; second <= 60; second += 1) view.show(snapshot({}, second), still);
    expect(said).toHaveLength(2);
  });

  test('tell a trouble once, whatever its attempt, and again when it comes back', () => {
    const { view, said } = told();
    const show = (activities: RunningActivity[], second: number) =>
      view.show(snapshot({ activities }, second), []);
    show([failed()], 0);
    show([failed({ attempt: 4 })], 1);
    show([failed({ attempt: 4, nextTryAt: undefined })], 2);
    expect(said).toHaveLength(1);
    show([], 3);
    show([failed({ attempt: 5 })], 4);
    expect(said).toHaveLength(2);
  });
});
