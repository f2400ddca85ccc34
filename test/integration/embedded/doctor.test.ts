import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { examineMachine } from '../../../embedded';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-doctor-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('a machine that can run the tests has all that is needed', async () => {
  const findings = await examineMachine({ ...process.env, FLEXLIFT_STATE_DIR: root });
  expect(findings.map(({ rule }) => rule)).toEqual([
    'node-version',
    'client-tools',
    'temporal',
    'demo-source',
    'demo-target',
    'state-directory',
    'disk-space',
  ]);
  expect(findings.filter(({ state }) => state === 'Failed')).toEqual([]);
});

test('what is missing is found, each with its remedy', async () => {
  const env = { PATH: root, HOME: root, XDG_CACHE_HOME: root, FLEXLIFT_STATE_DIR: 'relative' };
  const findings = await examineMachine(env);
  const found = Object.fromEntries(findings.map((finding) => [finding.rule, finding]));
  expect(found.temporal).toMatchObject({
    state: 'Warning',
    remedy: expect.stringContaining('TEMPORAL_ADDRESS') as string,
  });
  expect(found['state-directory']).toMatchObject({
    state: 'Failed',
    remedy: expect.stringContaining('absolute') as string,
  });
});
