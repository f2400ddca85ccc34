import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { databaseProperties, type DatabaseProperties } from '../catalog';
import { takenSettings } from './database-settings';
import type { PropertiesDetail } from './early-properties';
import type { OwnershipOptions } from './ownership';

/**
 * Compares the connected database's own properties with what the source's were: the catalog's comparison, which comes
 * before the release, knows nothing of what the release gives. Encoding and locale are left out: nobody can alter them,
 * and those of an empty database that stood there are taken as they are.
 *
 * @throws FlexliftError DifferenceFound naming the properties
 */
export async function proveProperties(
  client: Client,
  { properties, skipped }: PropertiesDetail,
  options: OwnershipOptions,
): Promise<void> {
  const settings = takenSettings(properties.settings, skipped);
  const found = await databaseProperties(client);
  const differing = differingProperties({ ...properties, settings }, found, options);
  if (differing.length === 0) return;
  throw new FlexliftError({
    code: 'DifferenceFound',
    sentence: `The target database differs from the source's in its ${differing.join(', ')}.`,
    remedy: 'Let nobody alter either database meanwhile, and try again.',
    side: 'target',
  });
}

/** For a person. */
export function differingProperties(
  one: DatabaseProperties,
  other: DatabaseProperties,
  options: OwnershipOptions,
): string[] {
  const [wanted, found] = [comparable(one, options), comparable(other, options)];
  return Object.keys(wanted).filter((name) => wanted[name] !== found[name]);
}

function comparable(properties: DatabaseProperties, options: OwnershipOptions): Record<string, string> {
  const settings = properties.settings.map(({ name, value, role }) =>
    JSON.stringify([role ?? null, name.toLowerCase(), value]),
  );
  const grants = properties.grants.map((grant) =>
    JSON.stringify([grant.grantee ?? null, grant.privilege, grant.grantable]),
  );
  return {
    comment: properties.comment ?? '',
    'connection limit': String(properties.connectionLimit),
    settings: settings.sort().join('\n'),
    ...(options.noOwner ? {} : { owner: properties.owner }),
    // under another owner, the owner's own rights are another role's
    ...(options.noOwner || options.noPrivileges ? {} : { privileges: grants.sort().join('\n') }),
  };
}
