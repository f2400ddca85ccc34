import { mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlexliftError } from '../../../contract';
import {
  currentSealKey,
  openSealed,
  readSealKeys,
  seal,
  sealKeyId,
  type SealedPassword,
} from '../../../contract/sealing';

const ID = 'a1b2c3d4e5f6';
const key = Buffer.alloc(32, 1);
const keys = new Map([[sealKeyId(key), key]]);

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof FlexliftError) return error.code;
  }
  return undefined;
}

test.each(['secret', '', 'pä🐘\n"\\', 'x'.repeat(10_000)])('what is sealed opens again', (password) => {
  expect(openSealed(seal(password, key, ID), keys, ID)).toBe(password);
});

test('two sealings of one password differ', () => {
  expect(seal('secret', key, ID)).not.toEqual(seal('secret', key, ID));
});

test.each(['iv', 'tag', 'ciphertext'] as const)('a changed %s does not open', (field) => {
  const sealed = seal('secret', key, ID);
  const bytes = Buffer.from(sealed[field], 'base64');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  expect(codeOf(() => openSealed({ ...sealed, [field]: bytes.toString('base64') }, keys, ID))).toBe(
    'SecretMissing',
  );
});

test.each([{ tag: '' }, { iv: '' }, { tag: 'AAAA' }])(
  'a shortened part %j does not open',
  (change: Partial<SealedPassword>) => {
    expect(codeOf(() => openSealed({ ...seal('secret', key, ID), ...change }, keys, ID))).toBe(
      'SecretMissing',
    );
  },
);

test('it opens for no other migration', () => {
  expect(codeOf(() => openSealed(seal('secret', key, ID), keys, 'ffffffffffff'))).toBe('SecretMissing');
});

test('a worker without the key waits, and says which one it lacks', () => {
  const sealed = seal('secret', Buffer.alloc(32, 2), ID);
  expect(codeOf(() => openSealed(sealed, keys, ID))).toBe('SealKeyMissing');
  expect(() => openSealed(sealed, keys, ID)).toThrow(sealed.keyId);
});

describe('the key directory', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'flexlift-keys-'))));
  afterEach(() => rm(directory, { recursive: true }));
  const places = () => ({ directory: join(directory, 'keys'), environment: {} });

  test('is made with one key, which only its owner reads', async () => {
    const made = await currentSealKey(places());
    expect(await currentSealKey(places())).toEqual(made);
    expect(await readdir(places().directory)).toEqual(['seal.key']);
    expect((await stat(join(places().directory, 'seal.key'))).mode & 0o777).toBe(0o600);
    expect((await stat(places().directory)).mode & 0o777).toBe(0o700);
    expect(await readSealKeys(places())).toEqual(new Map([[sealKeyId(made), made]]));
  });

  test('gives the same key to clients that make it at once', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => currentSealKey(places())));
    expect(new Set(made.map(sealKeyId)).size).toBe(1);
    expect(await readdir(places().directory)).toEqual(['seal.key']);
  });

  test('keeps a key that was replaced', async () => {
    const before = await currentSealKey(places());
    await rename(join(places().directory, 'seal.key'), join(places().directory, 'old.key'));
    const after = await currentSealKey(places());
    expect(sealKeyId(after)).not.toBe(sealKeyId(before));
    const found = await readSealKeys(places());
    expect(openSealed(seal('secret', before, ID), found, ID)).toBe('secret');
    expect(openSealed(seal('secret', after, ID), found, ID)).toBe('secret');
  });

  test('refuses a malformed key, naming the file and not its content', async () => {
    await currentSealKey(places());
    await writeFile(join(places().directory, 'seal.key'), 'nonsense');
    await expect(currentSealKey(places())).rejects.toThrow(/seal\.key holds no key/);
    await expect(readSealKeys(places())).rejects.not.toThrow(/nonsense/);
  });

  test('FLEXLIFT_KEY wins, and needs no directory', async () => {
    const environment = { FLEXLIFT_KEY: key.toString('base64') };
    expect(await currentSealKey({ environment })).toEqual(key);
    expect(await readSealKeys({ environment })).toEqual(keys);
    await expect(currentSealKey({ environment: {} })).rejects.toThrow(/no key to seal/);
    await expect(currentSealKey({ environment: { FLEXLIFT_KEY: 'c2hvcnQ=' } })).rejects.toThrow(
      /FLEXLIFT_KEY holds no key/,
    );
  });

  test('that is missing holds no keys', async () => {
    expect(await readSealKeys(places())).toEqual(new Map());
  });
});
