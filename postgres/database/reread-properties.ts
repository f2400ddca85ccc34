import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import type { DatabaseProperties, DatabaseSetting } from '../catalog';
import { quoteIdentifier } from '../connect';
import { withCutover, type LedgerIdentity } from '../ledger';
import { isSameSetting, resetSetting, takenSettings } from './database-settings';
import {
  applyEarlyProperties,
  isLateSetting,
  ownsDatabase,
  PROPERTIES_STEP,
  readPropertiesDetail,
} from './early-properties';
import { ownershipOf, type OwnershipOptions } from './ownership';
import { differingProperties } from './prove-properties';
import { applyFinalProperties } from './release-target-database';

/** What the source is like now; of `known`, what it was like before, is taken what cannot be told now. */
export type ReadProperties = (known: DatabaseProperties) => Promise<DatabaseProperties>;

/**
 * What {@link applyDatabaseProperties} noted may be days old when the source is about to be fenced: reads it again, for
 * the release, and gives the target what it has early. Then the release's part is rehearsed: what would fail behind the
 * fence fails before it. An attempt that is called off leaves the target with what the source has, and the next reads anew.
 *
 * @throws FlexliftError CutoverRefused where a role is absent on the target, or for late work of an attempt that has
 *   ended; DifferenceFound
 */
export async function rereadDatabaseProperties(
  args: OwnershipOptions & {
    target: Client;
    identity: LedgerIdentity;
    attempt: number;
    read: ReadProperties;
  },
): Promise<void> {
  const { target, identity, attempt, read } = args;
  await withCutover(target, identity, attempt, async () => {
    // an attempt that stood still would note what it had read long before
    await target.query('SELECT FROM flexlift.step WHERE kind = $1 AND key = $2 FOR UPDATE', [
      PROPERTIES_STEP.kind,
      PROPERTIES_STEP.key,
    ]);
    const known = await readPropertiesDetail(target);
    const properties = await read(known.properties);
    const isOurs = await ownsDatabase(target);
    if (isOurs) await refuseAbsentRoles(target, properties, args);
    const { applied } = await applyEarlyProperties(target, properties);
    if (isOurs) {
      // gone from the source, or refused by the target as it is now
      const isLeft = (setting: DatabaseSetting) => !applied.some((each) => isSameSetting(each, setting));
      const taken = takenSettings(known.properties.settings, known.skipped);
      const given = taken.filter((setting) => !isLateSetting(setting));
      for (const setting of given.filter(isLeft)) await resetIfThere(target, setting);
    }
    await target.query('SAVEPOINT rehearsal');
    await applyFinalProperties(target, args);
    await target.query('ROLLBACK TO SAVEPOINT rehearsal');
  });
}

/**
 * What the source's database has changed since its properties were read last.
 *
 * @returns for a person
 */
export async function changedProperties(
  args: OwnershipOptions & { target: Client; read: ReadProperties },
): Promise<string[]> {
  const { properties } = await readPropertiesDetail(args.target);
  return differingProperties(properties, await args.read(properties), args);
}

/** With a role that was dropped went its settings. */
async function resetIfThere(client: Client, setting: DatabaseSetting): Promise<void> {
  const { role } = setting;
  if (role === undefined || (await absentRoles(client, [role])).length === 0)
    await resetSetting(client, setting);
}

async function refuseAbsentRoles(
  client: Client,
  properties: DatabaseProperties,
  options: OwnershipOptions,
): Promise<void> {
  const { owner, grants, settings } = properties;
  const { noOwner, noPrivileges } = ownershipOf(properties, options);
  const grantees = noPrivileges ? [] : grants.map(({ grantee }) => grantee);
  const named = [...(noOwner ? [] : [owner]), ...grantees, ...settings.map(({ role }) => role)];
  const roles = named.filter((role) => role !== undefined && !(noOwner && role === owner)) as string[];
  const absent = await absentRoles(client, roles);
  const [first] = absent;
  if (first === undefined) return;
  throw new FlexliftError({
    code: 'CutoverRefused',
    sentence: `The source database's owner, rights or settings name roles that are absent on the target: ${absent.map(quoteIdentifier).join(', ')}.`,
    remedy: `Create them on the target (CREATE ROLE ${quoteIdentifier(first)}…), and cut over again.`,
    side: 'target',
  });
}

async function absentRoles(client: Client, names: string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT name FROM pg_catalog.unnest($1::text[]) AS name
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) ORDER BY name`,
    [names],
  );
  return rows.map(({ name }) => name);
}
