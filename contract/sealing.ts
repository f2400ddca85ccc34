/**
 * Passwords that travel through Temporal: sealed by the client, opened by the worker.
 *
 * Keys come from `FLEXLIFT_KEY` (base64, 32 bytes) and from the files `*.key` of a key directory. The client seals
 * with the former, else with `seal.key`, which it makes where there is none; a worker opens with any, so that a key
 * is replaced by renaming its file.
 *
 * Not part of `contract/index`, for workflow code must see no `node:` module.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { link, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlexliftError } from './errors';
import type { PasswordReference } from './request';

export type SealedPassword = Extract<PasswordReference, { kind: 'sealed' }>;

/** 32 bytes each, by their id; see {@link sealKeyId}. */
export type SealKeys = Map<string, Buffer>;

export interface KeyPlaces {
  /** Absent: only `FLEXLIFT_KEY`. */
  directory?: string;
  environment: NodeJS.ProcessEnv;
}

const SEAL_KEY_VARIABLE = 'FLEXLIFT_KEY';
const CURRENT_KEY_FILE = 'seal.key';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** 16 hex digits, derived from the key: says which one is meant and gives nothing of it away. */
export function sealKeyId(key: Buffer): string {
  return createHash('sha256').update('flexlift seal key').update(key).digest('hex').slice(0, 16);
}

/** @param migrationId bound to the result: it opens for no other migration */
export function seal(password: string, key: Buffer, migrationId: string): SealedPassword {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(migrationId, 'utf8'));
  const ciphertext = Buffer.concat([cipher.update(password, 'utf8'), cipher.final()]);
  return {
    kind: 'sealed',
    keyId: sealKeyId(key),
    iv: iv.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    ciphertext: ciphertext.toString('base64'),
  };
}

/** @throws FlexliftError SealKeyMissing; SecretMissing, where it was changed or sealed for another migration */
export function openSealed(sealed: SealedPassword, keys: SealKeys, migrationId: string): string {
  const key = keys.get(sealed.keyId);
  if (key === undefined) throw keyMissing(sealed.keyId);
  try {
    const iv = Buffer.from(sealed.iv, 'base64');
    const decipher = createDecipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(migrationId, 'utf8'));
    decipher.setAuthTag(Buffer.from(sealed.tag, 'base64'));
    const clear = [decipher.update(Buffer.from(sealed.ciphertext, 'base64')), decipher.final()];
    return Buffer.concat(clear).toString('utf8');
  } catch {
    // the cause stays out: what touched a secret goes into no error
    throw new FlexliftError({
      code: 'SecretMissing',
      sentence: `The sealed password does not open for migration ${migrationId}: it was changed or sealed for another one.`,
      remedy: 'Cancel the migration and start it again with its password.',
    });
  }
}

/**
 * All keys there are.
 *
 * @throws FlexliftError InvalidRequest, where one is malformed
 */
export async function readSealKeys({ directory, environment }: KeyPlaces): Promise<SealKeys> {
  const keys: Buffer[] = [];
  const variable = environment[SEAL_KEY_VARIABLE];
  if (variable) keys.push(decodeKey(variable, SEAL_KEY_VARIABLE));
  for (const path of await keyFiles(directory)) {
    const key = await readKeyFile(path);
    if (key !== undefined) keys.push(key);
  }
  return new Map(keys.map((key) => [sealKeyId(key), key]));
}

/**
 * The key to seal with; makes `seal.key` (mode 0600, its directory 0700) where there is none. Only a client calls this.
 *
 * @throws FlexliftError InvalidRequest, where the key is malformed or there is no place for one
 */
export async function currentSealKey({ directory, environment }: KeyPlaces): Promise<Buffer> {
  const variable = environment[SEAL_KEY_VARIABLE];
  if (variable) return decodeKey(variable, SEAL_KEY_VARIABLE);
  if (directory === undefined) {
    throw new FlexliftError({
      code: 'InvalidRequest',
      sentence: 'There is no key to seal the password with.',
      remedy: `Set ${SEAL_KEY_VARIABLE}, or name a key directory.`,
    });
  }
  const path = join(directory, CURRENT_KEY_FILE);
  return (await readKeyFile(path)) ?? (await createKeyFile(directory, path));
}

function decodeKey(base64: string, place: string): Buffer {
  const text = base64.trim();
  const key = Buffer.from(text, 'base64');
  if (key.length === KEY_BYTES && key.toString('base64') === text) return key;
  throw new FlexliftError({
    code: 'InvalidRequest',
    sentence: `${place} holds no key: 32 bytes in base64 are expected.`,
    remedy: 'Make one with: openssl rand -base64 32.',
  });
}

async function keyFiles(directory: string | undefined): Promise<string[]> {
  if (directory === undefined) return [];
  try {
    const files = await readdir(directory);
    return files.filter((file) => file.endsWith('.key')).map((file) => join(directory, file));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function readKeyFile(path: string): Promise<Buffer | undefined> {
  try {
    return decodeKey(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Written aside and linked into place: two clients at once agree on one key, and nobody reads half of it. */
async function createKeyFile(directory: string, path: string): Promise<Buffer> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const key = randomBytes(KEY_BYTES);
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${key.toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await link(draft, path);
    return key;
  } catch (error) {
    const other = await readKeyFile(path);
    if (other === undefined) throw error;
    return other;
  } finally {
    await rm(draft, { force: true });
  }
}

function keyMissing(keyId: string): FlexliftError {
  return new FlexliftError({
    code: 'SealKeyMissing',
    sentence: `This worker lacks the key ${keyId}, with which the password was sealed.`,
    remedy: `Copy the client's key file into the worker's key directory; the migration goes on by itself. (Or start the worker with ${SEAL_KEY_VARIABLE}.)`,
  });
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
