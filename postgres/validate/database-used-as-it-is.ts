import { databaseProperties, type DatabaseProperties } from '../catalog';
import type { DatabaseContext } from './rule';

/** The properties of a target database that is not going to be replaced. */
export async function databaseUsedAsItIs({
  request,
  targetClient,
}: DatabaseContext): Promise<DatabaseProperties | undefined> {
  if (targetClient === undefined || request.overwrite) return undefined;
  return await databaseProperties(targetClient);
}
