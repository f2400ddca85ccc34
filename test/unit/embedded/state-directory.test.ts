import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory, stateDirectory } from '../../../embedded';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'flexlift-state-'));
});
afterEach(() => rmSync(base, { recursive: true }));

test('our own variable comes before the standard one', () => {
  const own = join(base, 'own');
  expect(stateDirectory({ FLEXLIFT_STATE_DIR: own, XDG_STATE_HOME: base }).root).toBe(own);
  expect(stateDirectory({ FLEXLIFT_STATE_DIR: '', XDG_STATE_HOME: base }).root).toBe(join(base, 'flexlift'));
  expect(cacheDirectory({ XDG_CACHE_HOME: base })).toBe(join(base, 'flexlift'));
});

test('a relative path is refused where it is ours and ignored where the standard says so', () => {
  expect(() => stateDirectory({ FLEXLIFT_STATE_DIR: 'here' })).toThrow('absolute');
  expect(cacheDirectory({ XDG_CACHE_HOME: 'here' }).startsWith(homedir())).toBe(true);
});

test('a directory that was open to others is closed', () => {
  const state = stateDirectory({ FLEXLIFT_STATE_DIR: base });
  expect(statSync(state.root).mode & 0o777).toBe(0o700);
  expect(statSync(state.processes).mode & 0o777).toBe(0o700);
});

test('a path that is no directory is an error with a remedy', () => {
  const file = join(base, 'file');
  writeFileSync(file, '');
  expect(() => stateDirectory({ FLEXLIFT_STATE_DIR: file })).toThrow(/FLEXLIFT_STATE_DIR/);
});
