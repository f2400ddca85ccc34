import type { Client } from 'pg';
import type { DatabaseGrant } from '../catalog';
import { quoteIdentifier, withConnection, type Endpoint } from '../connect';
import { readLedger, releaseLedger, type LedgerIdentity } from '../ledger';
import { openDatabase } from './closed-database';
import { applySetting, onThisDatabase, planSettings, takenSettings } from './database-settings';
import { isLateSetting, ownsDatabase, readPropertiesDetail } from './early-properties';
import { ownershipOf, type OwnershipOptions } from './ownership';
import { proveProperties } from './prove-properties';

/**
 * The migration's last write to a database: what would have locked us out earlier (rights, owner, connection limit,
 * settings that bind every session) and the ledger's release, in one transaction, so that no attempt can be left
 * outside a database that is not released yet. Repeating it is harmless.
 *
 * @param report what the ledger's row keeps, as JSON.
 * @param lastCheck throws what keeps from the release; nothing that writes under the ledger is under way then
 */
export async function releaseTargetDatabase(
  args: OwnershipOptions & {
    target: Endpoint;
    database: string;
    identity: LedgerIdentity;
    report: unknown;
    lastCheck: (client: Client) => Promise<void>;
    signal: AbortSignal;
  },
): Promise<void> {
  const { target, database, identity, report, lastCheck, signal } = args;
  await withConnection(target, database, signal, (client) =>
    releaseLedger(client, identity, report, async () => {
      await lastCheck(client);
      await applyFinalProperties(client, args);
    }),
  );
}

/** Must run inside the release's transaction; reads from the ledger what the source was like. */
export async function applyFinalProperties(client: Client, asked: OwnershipOptions): Promise<void> {
  const { properties, skipped } = await readPropertiesDetail(client);
  const options = ownershipOf(properties, asked);
  if (!(await ownsDatabase(client))) return;
  // at the start the target lacked what a value may name: a text search configuration, an extension's parameter
  const again = await planSettings(
    client,
    skipped.map(({ setting }) => setting),
  );
  const late = takenSettings(properties.settings, skipped).filter(isLateSetting);
  for (const setting of [...late, ...again.apply]) await applySetting(client, setting);
  await onThisDatabase(client, 'ALTER DATABASE ', ` CONNECTION LIMIT ${properties.connectionLimit}`);
  if (options.noPrivileges && (await readLedger(client))?.database_created === true) {
    await openDatabase(client);
  }
  if (!options.noOwner) {
    await onThisDatabase(client, 'ALTER DATABASE ', ` OWNER TO ${quoteIdentifier(properties.owner)}`);
  }
  if (!options.noPrivileges) {
    // only the owner may, and we may have become a member that does not inherit its rights
    if (!options.noOwner) await client.query(`SET LOCAL ROLE ${quoteIdentifier(properties.owner)}`);
    await applyGrants(client, properties.grants, properties.owner);
    await client.query('SET LOCAL ROLE NONE');
  }
  await proveProperties(client, { properties, skipped: again.skipped }, options);
}

/**
 * Makes the rights the source's, as the database's present owner. What the source's owner had is the present owner's,
 * who is another one under --no-owner.
 */
async function applyGrants(client: Client, grants: DatabaseGrant[], sourceOwner: string): Promise<void> {
  await onThisDatabase(client, 'REVOKE ALL ON DATABASE ', ' FROM PUBLIC, CURRENT_USER');
  for (const { grantee, privilege, grantable } of grants) {
    const role = grantee === undefined ? 'PUBLIC' : quoteIdentifier(grantee);
    await onThisDatabase(
      client,
      `GRANT ${privilege} ON DATABASE `,
      ` TO ${grantee === sourceOwner ? 'CURRENT_USER' : role}${grantable ? ' WITH GRANT OPTION' : ''}`,
    );
  }
}
