import { readFile } from 'node:fs/promises';
import { FlexliftError, type PasswordReference, type ServerAddress } from '../../contract';
import { openSealed, readSealKeys } from '../../contract/sealing';

/** Finds the password that a reference points to; called at every connect, so that a rotated one is found. */
export interface Secrets {
  /** @throws FlexliftError SecretMissing, SealKeyMissing */
  resolve(address: ServerAddress, migrationId: string): Promise<string | undefined>;
}

/** @param keyDirectory where sealing keys lie; default as for the client, see contract/sealing. */
export function workerSecrets(keyDirectory?: string): Secrets {
  return {
    async resolve({ password }, migrationId) {
      return await resolveReference(password, migrationId, keyDirectory);
    },
  };
}

async function resolveReference(
  reference: PasswordReference,
  migrationId: string,
  keyDirectory: string | undefined,
): Promise<string | undefined> {
  switch (reference.kind) {
    case 'none':
    case 'pgpass':
      // pg itself looks into PGPASSFILE or ~/.pgpass where no password is given
      return undefined;
    case 'env':
      return (
        process.env[reference.name] ?? missing(`The worker has no environment variable ${reference.name}.`)
      );
    case 'file':
      return await firstLine(reference.path);
    case 'sealed':
      return openSealed(
        reference,
        await readSealKeys({ directory: keyDirectory, environment: process.env }),
        migrationId,
      );
  }
}

async function firstLine(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).split(/\r?\n/, 1)[0] ?? '';
  } catch {
    return missing(`The worker cannot read the password file ${path}.`);
  }
}

function missing(sentence: string): never {
  throw new FlexliftError({
    code: 'SecretMissing',
    sentence,
    remedy: 'Give it to the worker; the migration goes on by itself.',
  });
}
