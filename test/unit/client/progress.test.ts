import type { DatabaseStatus, MigrationStatus } from '../../../contract';
import { withLoads, type MigrationSnapshot } from '../../../client/migration-snapshot';
import type { RunningActivity } from '../../../client/pending-activities';
import { fractionDone, ProgressMeter, RateMeter } from '../../../client/progress';

const MB = 1_000_000;

function copying(bytes: number, activity = 'copyPart', database = 'shop'): RunningActivity {
  return { database, activity, what: 't', rows: bytes / 100, bytes, attempt: 1, state: 'running' };
}

function snapshot(
  seconds: number,
  change: Partial<DatabaseStatus>,
  activities: RunningActivity[] = [],
): MigrationSnapshot {
  const database: DatabaseStatus = {
    database: 'shop',
    state: 'InProgress',
    phase: 'Load',
    planned: { tables: 10, rows: 0, bytes: 100 * MB },
    copied: { tables: 0, rows: 0, bytes: 0 },
    seconds: {},
    differences: [],
    ...change,
  };
  const status = { databases: [database] } as unknown as MigrationStatus;
  return {
    version: 1,
    takenAt: new Date(seconds * 1_000).toISOString(),
    name: 'm',
    workflowId: 'w',
    runId: 'r',
    running: true,
    status,
    loads: [],
    activities,
  };
}

describe('the rate', () => {
  test('needs more than a moment', () => {
    const meter = new RateMeter();
    expect(meter.perSecond()).toBeUndefined();
    meter.add(0, 0);
    meter.add(1_000, 5);
    expect(meter.perSecond()).toBeUndefined();
    meter.add(2_000, 20);
    expect(meter.perSecond()).toBe(10);
  });

  test('forgets what is older than its window', () => {
    const meter = new RateMeter();
    meter.add(0, 0);
    meter.add(1_000, 1_000_000);
    for (let second = 2; second <= 40; second += 1) meter.add(second * 1_000, 1_000_000 + second * 100);
    expect(meter.perSecond()).toBeCloseTo(100);
  });

  test('keeps a sample although none came for longer than its window', () => {
    const meter = new RateMeter();
    meter.add(0, 0);
    meter.add(60_000, 600);
    expect(meter.perSecond()).toBe(10);
  });

  test('begins anew where an amount was lost', () => {
    const meter = new RateMeter();
    meter.add(0, 0);
    meter.add(5_000, 500);
    meter.add(6_000, 100);
    expect(meter.perSecond()).toBeUndefined();
    meter.add(8_000, 300);
    expect(meter.perSecond()).toBe(100);
  });
});

describe('the figures of a database', () => {
  test('count what is committed and what copies have in flight, of this database only', () => {
    const inFlight = [copying(5 * MB), copying(3 * MB, 'copyGroup'), copying(MB, 'copyPart', 'other')];
    const others = [copying(7 * MB, 'buildIndex'), copying(7 * MB, 'compareTables')];
    const copied = { tables: 2, rows: 10, bytes: 10 * MB };
    const [figures] = new ProgressMeter().measure(snapshot(0, { copied }, [...inFlight, ...others]));
    expect(figures).toMatchObject({
      tables: { done: 2, total: 10 },
      bytes: { done: 18 * MB, total: 100 * MB },
      rows: 10 + 80_000,
    });
    expect(figures).not.toHaveProperty('secondsLeft');
  });

  test('foretell the end of the load', () => {
    const meter = new ProgressMeter();
    meter.measure(snapshot(0, {}));
    const [figures] = meter.measure(snapshot(10, { copied: { tables: 1, rows: 0, bytes: 20 * MB } }));
    expect(figures).toMatchObject({ bytesPerSecond: 2 * MB, secondsLeft: 40 });
  });

  test('foretell nothing where nothing moves, or more came than was foreseen', () => {
    const meter = new ProgressMeter();
    const stuck = { copied: { tables: 1, rows: 0, bytes: 20 * MB } };
    meter.measure(snapshot(0, stuck));
    const [still] = meter.measure(snapshot(10, stuck));
    expect(still).toMatchObject({ bytesPerSecond: 0 });
    expect(still).not.toHaveProperty('secondsLeft');
    const [beyond] = meter.measure(snapshot(20, { copied: { tables: 1, rows: 0, bytes: 120 * MB } }));
    expect(beyond).not.toHaveProperty('secondsLeft');
    const [copied] = meter.measure(snapshot(30, { copied: { tables: 10, rows: 0, bytes: 95 * MB } }));
    expect(copied).not.toHaveProperty('bytesPerSecond');
  });

  test('have a rate only while it loads', () => {
    const meter = new ProgressMeter();
    meter.measure(snapshot(0, {}));
    const [figures] = meter.measure(
      snapshot(10, { phase: 'Compare', copied: { tables: 10, rows: 0, bytes: MB } }),
    );
    expect(figures).not.toHaveProperty('bytesPerSecond');
  });

  test('never promise more tables done than there are', () => {
    const [figures] = new ProgressMeter().measure(
      snapshot(0, { planned: undefined, copied: { tables: 4, rows: 0, bytes: 0 } }),
    );
    expect(figures?.tables).toEqual({ done: 4, total: 4 });
  });

  test('come from the load under way', () => {
    const { status } = snapshot(0, { planned: undefined });
    if (status === undefined) throw new Error('no status');
    const load = {
      database: 'shop',
      planned: { tables: 7, rows: 0, bytes: 9 },
      copied: { tables: 3, rows: 2, bytes: 1 },
      indexes: { total: 4, built: 1 },
    };
    expect(withLoads(status, [load]).databases[0]).toMatchObject({
      planned: load.planned,
      copied: load.copied,
    });
    expect(withLoads(status, [{ ...load, database: 'other' }])).toEqual(status);
  });
});

test.each([
  [{ tables: { done: 0, total: 0 }, bytes: { done: 0, total: 0 } }, 0],
  [{ tables: { done: 1, total: 2 }, bytes: { done: 50, total: 100 } }, 0.5],
  [{ tables: { done: 1, total: 2 }, bytes: { done: 500, total: 100 } }, 0.99],
  [{ tables: { done: 2, total: 2 }, bytes: { done: 90, total: 100 } }, 1],
])('the fraction of %j is %d', (figures, fraction) => expect(fractionDone(figures)).toBe(fraction));
