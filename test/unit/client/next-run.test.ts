import type { MigrationState } from '../../../contract';
import { comparableRequest } from '../../../client/comparable-request';
import { wantedMigration } from '../../../client/migration-request';
import { nextRun, NameTakenError, type PreviousRun } from '../../../client/next-run';

const servers = { source: 'postgres://me:one@old/', target: 'postgres://me@new/', name: 'shop' };
const comparable = (change: object = {}) => comparableRequest(wantedMigration({ ...servers, ...change }, {}));

function previous(state: MigrationState, change: { resumes?: boolean; options?: object } = {}): PreviousRun {
  const wanted = wantedMigration({ ...servers, ...change.options }, {});
  return {
    state,
    memo: {
      version: 1,
      name: 'shop',
      migrationId: 'a1b2c3d4e5f6',
      generation: 2,
      mode: wanted.mode,
      option: wanted.option,
      pool: wanted.pool,
      source: 'old:5432',
      target: 'new:5432',
      resumes: change.resumes ?? false,
      request: comparableRequest(wanted),
    },
  };
}

function refusedOption(state: PreviousRun, change: object): string | undefined {
  try {
    nextRun(state, comparable(change));
  } catch (error) {
    if (error instanceof NameTakenError) return error.option;
    throw error;
  }
  return undefined;
}

test('a new name is a new migration', () => {
  const next = nextRun(undefined, comparable());
  expect(next).toEqual({
    kind: 'start',
    identity: { migrationId: expect.stringMatching(/^[0-9a-f]{12}$/) as string, generation: 1 },
    resumes: false,
  });
});

test.each<MigrationState>(['InProgress', 'CleaningUp', 'Succeeded', 'SucceededUnverified'])(
  'the same options attach to one that is %s',
  (state) => expect(nextRun(previous(state), comparable())).toEqual({ kind: 'attach' }),
);

test('another password or order of databases is no other option', () => {
  const databases = { databases: ['a', 'b'] };
  const now = comparable({ source: 'postgres://me:changed@old/', databases: ['b', 'a'] });
  expect(nextRun(previous('InProgress', { options: databases }), now)).toEqual({ kind: 'attach' });
});

test.each<[object, string]>([
  [{ overwrite: true }, 'overwrite'],
  [{ limits: { copiesAtOnce: 8 } }, 'limits.copiesAtOnce'],
  [{ source: 'postgres://me:one@other/' }, 'source.host'],
  [{ source: { uri: 'postgres://me@old/', passwordEnv: 'PW' } }, 'source.password'],
  [{ source: 'postgres://me:one@old/?sslrootcert=/x' }, 'source.sslRootCert'],
  [{ databases: ['a'] }, 'databases'],
  [{ pool: 'b' }, 'pool'],
])('%j is refused while it runs and after it succeeded, by its name', (change, option) => {
  expect(refusedOption(previous('InProgress'), change)).toBe(option);
  expect(refusedOption(previous('Succeeded'), change)).toBe(option);
});

test('the refusal shows both values', () => {
  expect(() => nextRun(previous('InProgress'), comparable({ databases: ['a'] }))).toThrow(
    'The migration shop runs with another databases: none there, ["a"] here.',
  );
});

test('the refusal tells how a password is found', () => {
  const now = comparable({ source: { uri: 'postgres://me@old/', passwordEnv: 'PW' } });
  expect(() => nextRun(previous('InProgress'), now)).toThrow('source.password: sealed there, env PW here.');
});

test.each<MigrationState>(['Failed', 'Canceled'])(
  'after %s the next run goes on with the same migration',
  (state) => {
    expect(
      nextRun(previous(state), comparable({ overwrite: true, limits: { copiesAtOnce: 8 }, pool: 'b' })),
    ).toEqual({
      kind: 'start',
      identity: { migrationId: 'a1b2c3d4e5f6', generation: 3 },
      resumes: true,
    });
  },
);

test.each<[object, string]>([
  [{ noOwner: true }, 'noOwner'],
  [{ noPrivileges: true }, 'noPrivileges'],
  [{ source: 'postgres://me:one@other/' }, 'source.host'],
  [{ source: 'postgres://me:one@old:5433/' }, 'source.port'],
])('what the target already shows must not change: %j', (change, option) => {
  expect(refusedOption(previous('Failed'), change)).toBe(option);
  expect(refusedOption(previous('Canceled'), change)).toBe(option);
  expect(refusedOption(previous('ValidationFailed', { resumes: true }), change)).toBe(option);
  expect(refusedOption(previous('ValidationFailed'), change)).toBeUndefined();
});

test('after a validation alone every option may change, and the same ones validate again', () => {
  const validated = previous('Succeeded', { options: { option: 'Validate' } });
  const again = { kind: 'start', resumes: false };
  expect(nextRun(validated, comparable({ option: 'Validate' }))).toMatchObject(again);
  expect(nextRun(validated, comparable({ noOwner: true }))).toMatchObject(again);
  expect(nextRun(previous('ValidationFailed'), comparable({ noOwner: true }))).toMatchObject(again);
});

test('what is compared holds no password', () => {
  expect(JSON.stringify(comparable())).not.toContain('one');
});
