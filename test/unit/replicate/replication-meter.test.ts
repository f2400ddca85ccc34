import { NO_CHANGES } from '../../../postgres/replicate/applier/ledger-position';
import { ReplicationMeter } from '../../../postgres/replicate/applier/replication-meter';

const SECOND = 1_000;
let meter: ReplicationMeter;

beforeEach(() => {
  jest.useFakeTimers();
  meter = new ReplicationMeter({
    slot: 'flexlift_0123456789ab_01234567',
    systemIdentifier: '1',
    lsn: 1n,
    held: [],
    commitTime: Date.now(),
    counts: NO_CHANGES,
    replicaRole: true,
    drift: [],
  });
});
afterEach(() => jest.useRealTimers());

function seen(retainedBytes: number, after = 10 * SECOND, retainedLimitBytes: number | undefined = 1_000) {
  jest.advanceTimersByTime(after);
  meter.slotSeen({ retainedBytes, retainedLimitBytes });
  return meter.progress().secondsToLimit;
}

describe('the time until the source gives the slot up', () => {
  it('follows from how fast the retained WAL grows', () => {
    expect(seen(100)).toBeUndefined();
    // 20 bytes a second, 700 to go
    expect(seen(300)).toBe(35);
    // 25 a second since the first look
    expect(seen(600)).toBe(16);
    expect(meter.progress()).toMatchObject({ retainedBytes: 600, retainedLimitBytes: 1_000 });
  });

  it('is over where the limit is passed', () => {
    seen(900);
    expect(seen(1_100)).toBe(0);
    expect(seen(1_100)).toBe(0);
  });

  it('is none where it does not grow, or without a limit', () => {
    seen(500);
    expect(seen(500)).toBeUndefined();
    expect(seen(300)).toBeUndefined();
    meter.slotSeen({ retainedBytes: 5_000 });
    expect(meter.progress()).toMatchObject({ retainedBytes: 5_000 });
    expect(meter.progress().secondsToLimit).toBeUndefined();
    expect(meter.progress().retainedLimitBytes).toBeUndefined();
  });

  it('forgets how it grew long ago', () => {
    seen(0);
    seen(800);
    for (let minute = 0; minute < 7; minute++) seen(800, 60 * SECOND);
    expect(meter.progress().secondsToLimit).toBeUndefined();
    // over the last five minutes and the look before them
    expect(seen(860, 60 * SECOND)).toBe(Math.round(140 / (60 / 360)));
  });

  it('is none after two looks at one moment', () => {
    seen(100);
    expect(seen(200, 0)).toBeUndefined();
  });
});

it('names no more stopped tables and drifts than a heartbeat can carry', () => {
  const failure = { code: 'DataRejected' as const, sentence: 'No.', remedy: 'None.' };
  const stopped = Array.from({ length: 5_000 }, (_, index) => ({ table: `public.t${index}`, failure }));
  meter.overview = { ...meter.overview, stopped };
  meter.drift = stopped.map(({ table }) => ({ kind: 'catalog', object: table, message: 'It is new.' }));
  const { stoppedTables, drift } = meter.progress();
  expect([stoppedTables.length, drift.length]).toEqual([100, 100]);
  expect(stoppedTables[0]).toEqual(stopped[0]);
});
