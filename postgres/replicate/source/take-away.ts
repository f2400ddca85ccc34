import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseError, type Client } from 'pg';
import { quoteIdentifier, withConnection, type Endpoint } from '../../connect';
import { restoreIdentities } from './identities';
import { altering, type AlterationArguments } from './lock-to-alter';
import { MARKER_TABLE } from './marker';
import { markerSchema, publicationNames } from './names';
import { dropSlot } from './slot';
import { describeSourceObject, sourceObjects } from './source-objects';
import { takeSourceTurn } from './source-turn';

/** Milliseconds. */
const LOCK_TIMEOUT = 1_000;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Takes away what a migration has on its source in one database: fence, slot, replica identities, publications, the
 * marker's schema. All of it is found by name; what is gone already is no error, so that it can be called again after
 * any death.
 *
 * @returns what was there and is gone, for a person
 * @throws FlexliftError Contention where somebody else reads the slot
 */
export async function takeAwaySourceObjects(args: {
  source: Endpoint;
  database: string;
  /** Absent: of every migration. */
  migrationId?: string;
  signal: AbortSignal;
  /** What a successful migration leaves is its fence: a function that does nothing leaves it. */
  liftFence: (client: Client) => Promise<unknown>;
  /** Says, for a person, what is being done or waited for. */
  onProgress?: (what: string) => void;
}): Promise<string[]> {
  const { source, database, migrationId, signal, liftFence, onProgress = () => undefined } = args;
  return await withConnection(source, database, signal, async (client) => {
    const before = await sourceObjects(client, migrationId);
    const found = new Set(before.map((object) => object.migrationId));
    const migrations = migrationId === undefined ? [...found] : [migrationId];
    for (const each of migrations) await takeSourceTurn(client, { migrationId: each, signal });
    // somebody who reads a slot must not keep the application out
    await liftFence(client);
    for (const each of migrations) {
      await dropSlots(client, { migrationId: each, signal });
      const alteration = { client, lockTimeout: LOCK_TIMEOUT, signal, onProgress };
      await restoreIdentities(alteration, each);
      await dropPublications(alteration, each);
    }
    const left = new Set((await sourceObjects(client, migrationId)).map(describeSourceObject));
    return before.map(describeSourceObject).filter((object) => !left.has(object));
  });
}

async function dropSlots(client: Client, args: { migrationId: string; signal: AbortSignal }): Promise<void> {
  const slots = (await sourceObjects(client, args.migrationId)).filter(({ kind }) => kind === 'slot');
  for (const { name } of slots) await dropSlot(client, { ...args, slot: name });
}

/** Takes no lock of the application's tables; the marker's own table somebody may be reading, a dump for one. */
async function dropPublications(args: AlterationArguments, migrationId: string): Promise<void> {
  const { client, signal } = args;
  const { keyed, append } = publicationNames(migrationId);
  const schema = quoteIdentifier(markerSchema(migrationId));
  for (;;) {
    signal.throwIfAborted();
    try {
      await altering(client, async () => {
        await client.query(`SET LOCAL lock_timeout = ${args.lockTimeout}`);
        await client.query(
          `DROP PUBLICATION IF EXISTS ${quoteIdentifier(keyed)}, ${quoteIdentifier(append)}`,
        );
        await client.query(`DROP TABLE IF EXISTS ${schema}.${MARKER_TABLE}`);
        await client.query(`DROP SCHEMA IF EXISTS ${schema}`);
      });
      return;
    } catch (error) {
      if (!(error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE)) throw error;
      args.onProgress(`waiting for the lock on ${schema}.${MARKER_TABLE}`);
      await pause(args.lockTimeout, undefined, { signal });
    }
  }
}
