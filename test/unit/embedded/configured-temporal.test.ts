import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlexliftError } from '../../../contract';
import { configuredTemporal } from '../../../embedded';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'flexlift-profile-'));
});
afterEach(() => rmSync(home, { recursive: true }));

function profileFile(text: string): string {
  const file = join(home, 'temporal.toml');
  writeFileSync(file, text);
  return file;
}

test('without an address nothing is configured', () => {
  expect(configuredTemporal({ HOME: home })).toBeUndefined();
  expect(configuredTemporal({ HOME: home, TEMPORAL_NAMESPACE: 'other' })).toBeUndefined();
  expect(configuredTemporal({ HOME: home, TEMPORAL_ADDRESS: '' })).toBeUndefined();
});

test('the environment names a server, over the profile', () => {
  const TEMPORAL_CONFIG_FILE = profileFile(
    '[profile.default]\naddress = "file:1"\nnamespace = "of-file"\n[profile.other]\naddress = "other:2"\n',
  );
  expect(configuredTemporal({ TEMPORAL_CONFIG_FILE })).toMatchObject({
    address: 'file:1',
    namespace: 'of-file',
  });
  expect(configuredTemporal({ TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE: 'other' })).toMatchObject({
    address: 'other:2',
    namespace: 'default',
  });
  expect(configuredTemporal({ TEMPORAL_CONFIG_FILE, TEMPORAL_ADDRESS: 'env:3' })?.address).toBe('env:3');
});

test('a broken profile file is an error that quotes nothing of it', () => {
  const TEMPORAL_CONFIG_FILE = profileFile('[profile.default]\napi_key = "hush-hush\naddress = 1\n');
  const failure = catchFailure(() => configuredTemporal({ TEMPORAL_CONFIG_FILE }));
  expect(failure.code).toBe('InvalidRequest');
  expect(`${failure.stack} ${String(failure.cause)}`).not.toContain('hush');
});

test('a profile that is not there is an error', () => {
  const failure = catchFailure(() => configuredTemporal({ HOME: home, TEMPORAL_PROFILE: 'nowhere' }));
  expect(failure.message).toContain('nowhere');
});

function catchFailure(work: () => unknown): FlexliftError {
  try {
    work();
  } catch (error) {
    if (error instanceof FlexliftError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
