import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  childEnvironment,
  ensureProcess,
  killProcess,
  logFile,
  runningProcess,
  stateDirectory,
  stopProcess,
  variablesSetAnew,
  withLock,
  type BackgroundProcess,
  type StateDirectory,
} from '../../../embedded';
import { identifyProcess, isAlive } from '../../../embedded/process-identity';
import { runCommand } from '../../../embedded/run-command';
import { eventually } from '../../support/eventually';

let state: StateDirectory;

beforeEach(() => {
  state = stateDirectory({ FLEXLIFT_STATE_DIR: mkdtempSync(join(tmpdir(), 'flexlift-process-')) });
});

afterEach(async () => {
  await killProcess(state, 'script');
  rmSync(state.root, { recursive: true, force: true });
});

/** A Node.js script in the background, healthy once it has made the file `ready`. */
function script(code: string, more: Partial<BackgroundProcess> = {}): BackgroundProcess {
  return {
    name: 'script',
    title: 'script',
    failureCode: 'NoWorker',
    isHealthy: () => Promise.resolve(existsSync(join(state.root, 'ready'))),
    plan: () => Promise.resolve({ command: process.execPath, args: ['-e', code], env: childEnvironment() }),
    ...more,
  };
}

const WAITS = 'setInterval(() => {}, 1000);';
const READY = "require('fs').writeFileSync('ready', '');";

test('a process is started once, found again, and gone after its end', async () => {
  const kind = script(`${READY} ${WAITS}`);
  const first = await ensureProcess(state, kind);
  const second = await ensureProcess(state, kind);
  expect([first.started, second.started]).toEqual([true, false]);
  expect(second.running.identity).toEqual(first.running.identity);
  expect(await stopProcess(state, 'script')).toBe(true);
  expect(isAlive(first.running.identity)).toBe(false);
  expect(await stopProcess(state, 'script')).toBe(false);
});

test('its plan may take the lock of the state directory, where a cache is in the same place', async () => {
  const { plan, ...kind } = script(`${READY} ${WAITS}`);
  const installing = () => withLock(state.root, () => plan(undefined));
  const { started } = await ensureProcess(state, { ...kind, plan: installing });
  expect(started).toBe(true);
});

test('variables that are set anew are told, and their values are nowhere', async () => {
  const kind = script(`${READY} ${WAITS}`, {
    plan: () =>
      Promise.resolve({
        command: process.execPath,
        args: ['-e', `${READY} ${WAITS}`],
        env: { FLEXLIFT_KEY: 'hush', PGPASSFILE: '/a' },
      }),
  });
  const { running } = await ensureProcess(state, kind);
  const names = ['FLEXLIFT_KEY', 'PGPASSFILE', 'FLEXLIFT_PG_BIN'];
  expect(variablesSetAnew(running, names, { FLEXLIFT_KEY: 'hush', PGPASSFILE: '/a' })).toEqual([]);
  expect(variablesSetAnew(running, names, { FLEXLIFT_KEY: 'hush' })).toEqual([]);
  const changed = { PGPASSFILE: '/b', FLEXLIFT_PG_BIN: '/c', HOME: '/d' };
  expect(variablesSetAnew(running, names, changed)).toEqual(['PGPASSFILE', 'FLEXLIFT_PG_BIN']);
  expect(readFileSync(join(state.processes, 'script.json'), 'utf8')).not.toContain('hush');
});

test('a process that ignores SIGTERM is killed', async () => {
  const { running } = await ensureProcess(
    state,
    script(`process.on('SIGTERM', () => {}); ${READY} ${WAITS}`),
  );
  expect(await stopProcess(state, 'script', 200)).toBe(true);
  expect(isAlive(running.identity)).toBe(false);
});

test('a process that ends while starting is an error with the end of its log', async () => {
  const kind = script("console.error('no such port'); process.exit(3)");
  await expect(ensureProcess(state, kind)).rejects.toMatchObject({
    fields: { code: 'NoWorker', sentence: expect.stringContaining('no such port') as string },
  });
});

test('a process that never becomes healthy is an error, and is ended', async () => {
  let pid = 0;
  const kind = script(WAITS, {
    startTimeout: 100,
    isHealthy: ({ identity }) => {
      pid = identity.pid;
      return Promise.resolve(false);
    },
  });
  await expect(ensureProcess(state, kind)).rejects.toMatchObject({ code: 'NoWorker' });
  expect(identifyProcess(pid)).toBeUndefined();
});

test('a program that is not there is an error', async () => {
  const plan = () => Promise.resolve({ command: '/nowhere/at all', args: [], env: {} });
  await expect(ensureProcess(state, script('', { plan }))).rejects.toMatchObject({
    fields: { code: 'NoWorker', sentence: expect.stringContaining('ENOENT') as string },
  });
  expect(runningProcess(state, 'script')).toBeUndefined();
});

test('an outdated process is replaced at once, a sick one after a while', async () => {
  const kind = script(`${READY} ${WAITS}`);
  const first = await ensureProcess(state, kind);
  const second = await ensureProcess(state, {
    ...kind,
    isOutdated: ({ identity }) => identity.pid === first.running.identity.pid,
  });
  expect(second.started).toBe(true);
  expect(isAlive(first.running.identity)).toBe(false);
  const third = await ensureProcess(state, {
    ...kind,
    startTimeout: 1,
    isHealthy: ({ identity }) => Promise.resolve(identity.pid !== second.running.identity.pid),
  });
  expect(third.started).toBe(true);
  expect(isAlive(second.running.identity)).toBe(false);
});

test('an abort ends the wait and the process that was being started', async () => {
  const controller = new AbortController();
  const kind = script(WAITS);
  const starting = ensureProcess(state, kind, { signal: controller.signal });
  const running = await eventually('the process', () => Promise.resolve(runningProcess(state, 'script')));
  controller.abort();
  await expect(starting).rejects.toMatchObject({ name: 'AbortError' });
  expect(isAlive(running.identity)).toBe(false);
});

test('an abort leaves a process alone that ran before', async () => {
  const kind = script(`${READY} ${WAITS}`);
  const { running } = await ensureProcess(state, kind);
  const controller = new AbortController();
  const isHealthy = () => {
    controller.abort();
    return Promise.resolve(false);
  };
  const again = ensureProcess(state, { ...kind, isHealthy }, { signal: controller.signal });
  await expect(again).rejects.toMatchObject({ name: 'AbortError' });
  expect(isAlive(running.identity)).toBe(true);
});

test('the record, the log and the directories are private', async () => {
  await ensureProcess(state, script(`${READY} ${WAITS}`));
  const { stdout } = await output('stat', ['-c', '%a', state.root, state.keys, logFile(state, 'script')]);
  expect(stdout.trim().split('\n')).toEqual(['700', '700', '600']);
});

test('an unknown lock holder is waited for, a dead one is not waited for without end', async () => {
  const order: string[] = [];
  const holder = withLock(state.root, async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    order.push('first');
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await Promise.all([holder, withLock(state.root, () => Promise.resolve(order.push('second')))]);
  expect(order).toEqual(['first', 'second']);

  const code = `
    const { lock } = require('proper-lockfile');
    lock(${JSON.stringify(state.root)}, { lockfilePath: ${JSON.stringify(join(state.root, 'lock'))}, realpath: false })
      .then(() => { console.log('held'); setInterval(() => {}, 1000); });`;
  const dead = spawn(process.execPath, ['-e', code], {
    cwd: process.cwd(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => dead.stdout.once('data', resolve));
  dead.kill('SIGKILL');
  const startedAt = Date.now();
  await withLock(state.root, () => Promise.resolve());
  expect(Date.now() - startedAt).toBeLessThan(12_000);
});

test('a command that runs too long is killed with its children', async () => {
  const marker = join(state.root, 'child');
  const result = await runCommand('sh', ['-c', `sleep 61 & echo $! > ${marker}; wait`], {
    env: childEnvironment(),
    timeout: 300,
  });
  expect(result).toMatchObject({ succeeded: false, failure: 'no end after 0.3 s' });
  const child = Number(readFileSync(marker, 'utf8'));
  await eventually('the end of the child', () => Promise.resolve(identifyProcess(child) === undefined), {
    timeout: 5_000,
  });
});

test('an environment for children holds no variable of ours', () => {
  const given = {
    PATH: '/bin',
    PGPASSWORD: 'hush',
    FLEXLIFT_KEY: 'hush',
    TEMPORAL_API_KEY: 'hush',
    HOME: '/h',
  };
  expect(childEnvironment([], given)).toEqual({ PATH: '/bin', HOME: '/h' });
  expect(childEnvironment(['FLEXLIFT_KEY'], given)).toMatchObject({ FLEXLIFT_KEY: 'hush' });
});

function output(command: string, args: string[]): Promise<{ stdout: string }> {
  return runCommand(command, args, { env: childEnvironment(), timeout: 5_000 }).then(({ output }) => ({
    stdout: output,
  }));
}
