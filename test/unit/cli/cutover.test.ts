import type { DatabaseStatus } from '../../../contract';
import type { AcceptedUpdate, MigrationHandle, MigrationSnapshot } from '../../../client';
import { awaitReadiness, concerned, followCutover } from '../../../cli/commands/cutover-progress';
import { followToCutover, reportEnd } from '../../../cli/commands/follow-to-end';
import { exitCodeOfCutover, exitCodeOfStatus } from '../../../cli/exit-code';
import { Output } from '../../../cli/output';
import type { Session } from '../../../cli/session';
import { cutover, database, failure, migration, replication } from './online-fixtures';

const difference = { ...failure, code: 'DifferenceFound' as const };
const released = database({ state: 'Succeeded', phase: 'Done', cutover: cutover() });
const calledOff = (why = failure as DatabaseStatus['failure']) =>
  database({ cutover: cutover({ state: 'CalledOff', failure: why }) });

test.each([
  ['released', [released], 0],
  ['not compared', [released, { ...released, state: 'SucceededUnverified' as const }], 6],
  ['called off', [released, calledOff()], 1],
  ['a difference', [released, calledOff(difference)], 4],
  ['a difference beside another reason', [calledOff(difference), calledOff()], 1],
  ['released, and something left on the source', [{ ...released, state: 'NeedsCleanup' as const }], 1],
  ['no try at all', [database()], 1],
])('a cutover: %s', (_how, databases, code) => expect(exitCodeOfCutover(databases)).toBe(code));

test('waiting for a person is no failure, what needs cleaning up is one', () => {
  expect(exitCodeOfStatus(migration([], { state: 'WaitingForUserAction' }))).toBe(0);
  expect(exitCodeOfStatus(migration([], { state: 'NeedsCleanup', failure: difference }))).toBe(1);
});

test('a name that the migration does not have is wrong use', () => {
  const status = migration([released, database({ database: 'crm' })]);
  expect(() => concerned(status, ['crm', 'x'])).toThrow(/no database "x".*"shop", "crm"/);
  expect(concerned(status, ['shop'])).toEqual([released]);
  expect(concerned(status, undefined).map((one) => one.database)).toEqual(['crm']);
  expect(concerned(migration([]), ['x'])).toEqual([]);
});

describe('following', () => {
  let written: string[];
  /** Called while a snapshot is on its way. */
  let onLook: (look: number) => void;

  beforeEach(() => {
    written = [];
    onLook = () => undefined;
    const take = (text: string | Uint8Array): boolean => written.push(String(text)) > 0;
    jest.spyOn(process.stdout, 'write').mockImplementation(take);
    jest.spyOn(process.stderr, 'write').mockImplementation(take);
  });
  afterEach(() => jest.restoreAllMocks());

  function session(): Session {
    const engine = { address: 'a', namespace: 'n', state: { reports: '/nonexistent' } };
    return {
      engine,
      output: new Output({ quiet: true }),
      signal: new AbortController().signal,
    } as unknown as Session;
  }

  /** A migration that goes through these states, one with every look, and stays in the last. */
  function handle(...states: DatabaseStatus[][]): MigrationHandle & { looks: number } {
    let looks = 0;
    return {
      name: 'm',
      run: { workflowId: 'w', runId: 'r' },
      get looks() {
        return looks;
      },
      async *watch(): AsyncGenerator<MigrationSnapshot> {
        for (; looks < 100; looks += 1) {
          const databases = states[Math.min(looks, states.length - 1)] ?? [];
          const takenAt = new Date().toISOString();
          await new Promise((resolve) => setTimeout(resolve, 5));
          onLook(looks);
          await new Promise((resolve) => setTimeout(resolve, 5));
          const of = { takenAt, running: true, loads: [], activities: [], status: migration(databases) };
          yield of as unknown as MigrationSnapshot;
        }
        throw new Error('it was looked at for too long');
      },
    } as unknown as MigrationHandle & { looks: number };
  }

  const catchingUp = database({ replication: replication({ state: 'CatchingUp' }) });
  const failed = database({ database: 'bad', state: 'Failed', failure });

  test('a migration is left when all its databases are ready', async () => {
    const m = handle([catchingUp], [database(), database({ phase: 'Load' })], [database(), database()]);
    expect(await followToCutover(m, session())).toBe(0);
    expect(m.looks).toBe(2);
    expect(written.join('')).toContain('Ready for cutover. Next: flexlift cutover m\n');
  });

  test('what has failed is not waited for, but is no success', async () => {
    expect(await followToCutover(handle([failed, catchingUp], [failed, database()]), session())).toBe(1);
    expect(written.join('')).toContain('but for what failed: bad. Next: flexlift cutover m');
  });

  test('a cutover waits until its own databases are ready', async () => {
    const crm = database({ database: 'crm', phase: 'Load', replication: undefined });
    const m = handle([], [catchingUp, crm], [database(), crm]);
    expect((await awaitReadiness(m, ['shop'], session()))?.databases).toHaveLength(2);
    expect(m.looks).toBe(2);
    await expect(awaitReadiness(handle([crm]), ['no'], session())).rejects.toThrow(/no database "no"/);
  });

  test.each(['Stopped', 'Paused'] as const)('a cutover waits for nothing that is %s', async (state) => {
    const halted = database({ database: 'crm', replication: replication({ state }) });
    const m = handle([catchingUp, halted], [database(), halted]);
    expect(await awaitReadiness(m, undefined, session())).toBeDefined();
    expect(m.looks).toBe(1);
  });

  test('a report that cannot be kept as a file changes nothing of how a migration ended', async () => {
    const ended = migration([released], { state: 'Succeeded', endedAt: new Date().toISOString() });
    const full = {
      ...session(),
      engine: { address: 'a', namespace: 'n', state: { reports: '/dev/null/x' } },
    };
    expect(await reportEnd(handle(), ended, full as unknown as Session)).toBe(0);
    expect(written.join('')).toMatch(/could not be kept as a file: .*ENOTDIR/);
  });

  test('a cutover is over when the answer is there and the slot is gone', async () => {
    let answer: () => void = () => undefined;
    const result = new Promise<never>((resolve) => (answer = resolve as () => void));
    const accepted: AcceptedUpdate = { result: () => result };
    const before = calledOff(difference);
    const releasing = database({ phase: 'Release', state: 'InProgress', cutover: cutover() });
    const other = database({ database: 'crm' });
    const states = [before, before, releasing, releasing, released].map((one) => [one, other]);
    const m = handle(...states);
    onLook = (look) => (look === 1 ? answer() : undefined);
    expect(await followCutover(m, accepted, ['shop'], session())).toBe(0);
    expect(m.looks).toBe(4);
    expect(written.join('')).toContain('the application could not write for 3.4 s');
  });

  test('what the migration refuses it with ends the following', async () => {
    const refusal = new Error('refused');
    const accepted: AcceptedUpdate = { result: () => Promise.reject(refusal) };
    await expect(followCutover(handle([database()]), accepted, ['shop'], session())).rejects.toBe(refusal);
  });
});
