import type { Client } from 'pg';
import { ALTERED_IDENTITIES } from '../../catalog';
import { quoteIdentifier, quoteLiteral, quoteQualified, withConnection, type Endpoint } from '../../connect';
import { withCutover, type LedgerIdentity } from '../../ledger';
import type { ClassifiedTable, ReplicaIdentity } from './classify-tables';
import { alterTable, altering, IDENTITY_LOCK, type AlterationArguments } from './lock-to-alter';
import { publicationNames } from './names';

/** A replica identity that a migration has set on the source, or was about to set. */
export interface AlteredIdentity {
  oid: number;
  schema: string;
  name: string;
  previous: ReplicaIdentity;
  ours: ReplicaIdentity;
  /** It is still as we set it. */
  inForce: boolean;
}

const CLAUSES: Partial<Record<ReplicaIdentity, string>> = { d: 'DEFAULT', n: 'NOTHING' };
/** Tables whose locks are held together on the target. */
const BATCH = 100;

/** What the migration's publication in the connected database remembers; dropped tables are left out. */
async function alteredIdentities(client: Client, migrationId: string): Promise<AlteredIdentity[]> {
  const { rows } = await client.query<AlteredIdentity>(
    `SELECT c.oid, n.nspname AS schema, c.relname AS name, altered.previous, altered.ours,
            c.relreplident::pg_catalog.text = altered.ours AS "inForce"
       FROM ${ALTERED_IDENTITIES} AS altered
       JOIN pg_catalog.pg_class c ON c.oid = altered."table"
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE altered.publication = $1
      ORDER BY c.oid`,
    [publicationNames(migrationId).keyed],
  );
  return rows;
}

/**
 * Notes the present replica identities before they are altered, in the publication's comment: it needs no ledger to be
 * found, and goes with the publication. What is noted already stands.
 */
export async function rememberIdentities(
  client: Client,
  migrationId: string,
  tables: ClassifiedTable[],
): Promise<void> {
  const { keyed } = publicationNames(migrationId);
  const known = (await alteredIdentities(client, migrationId)).filter((each) => each.inForce);
  const isKnown = new Set(known.map((each) => each.oid));
  const identities = [
    ...known.map(({ oid, previous, ours }) => ({ table: oid, previous, ours })),
    ...tables
      .filter(({ oid }) => !isKnown.has(oid))
      .map(({ oid, replicaIdentity, identityIndex }) => ({
        table: oid,
        previous: replicaIdentity,
        ours: identityIndex === undefined ? 'f' : 'i',
      })),
  ];
  await altering(client, () =>
    client.query(
      `COMMENT ON PUBLICATION ${quoteIdentifier(keyed)} IS ${quoteLiteral(JSON.stringify({ identities }))}`,
    ),
  );
}

/** To be run under the table's lock. */
export async function setIdentity(client: Client, table: ClassifiedTable): Promise<void> {
  const { identityIndex } = table;
  const identity = identityIndex === undefined ? 'FULL' : `USING INDEX ${quoteIdentifier(identityIndex)}`;
  await client.query(
    `ALTER TABLE ONLY ${quoteQualified(table.schema, table.name)} REPLICA IDENTITY ${identity}`,
  );
}

/**
 * Gives the source's tables the replica identities back that they had, and takes each out of the publication in the same
 * transaction: published without an identity, it would refuse the application's UPDATE.
 */
export async function restoreIdentities(args: AlterationArguments, migrationId: string): Promise<void> {
  const { client } = args;
  const { keyed } = publicationNames(migrationId);
  for (const table of (await alteredIdentities(client, migrationId)).filter((each) => each.inForce)) {
    await alterTable(args, table, IDENTITY_LOCK, async () => {
      const name = `ONLY ${quoteQualified(table.schema, table.name)}`;
      const { rowCount } = await client.query(
        `SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
          WHERE p.pubname = $1 AND r.prrelid = $2`,
        [keyed, table.oid],
      );
      if (rowCount !== 0)
        await client.query(`ALTER PUBLICATION ${quoteIdentifier(keyed)} DROP TABLE ${name}`);
      await client.query(previousIdentity(table));
    });
  }
}

/**
 * The schema is dumped with the replica identities that we set: gives the target's tables those that the source's had.
 * For the time after the last change was applied; to be done before the catalogs are compared and before
 * `takeAwaySourceObjects`. Repeating it is harmless, and takes no lock.
 *
 * @throws FlexliftError CutoverRefused where the attempt has ended
 */
export async function restoreTargetIdentities(args: {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  /** To cut over. */
  attempt: number;
  signal: AbortSignal;
}): Promise<void> {
  const { source, target, database, identity, attempt, signal } = args;
  const altered = await withConnection(source, database, signal, (client) =>
    alteredIdentities(client, identity.migrationId),
  );
  if (altered.length === 0) return;
  await withConnection(target, database, signal, async (client) => {
    const left = await withOtherIdentity(client, altered);
    for (let start = 0; start < left.length; start += BATCH) {
      signal.throwIfAborted();
      await withCutover(client, identity, attempt, async () => {
        for (const table of left.slice(start, start + BATCH)) await client.query(previousIdentity(table));
      });
    }
  });
}

/** Those that do not have their previous one on the client's server. */
async function withOtherIdentity(client: Client, tables: AlteredIdentity[]): Promise<AlteredIdentity[]> {
  const { rows } = await client.query<{ place: number }>(
    `SELECT wanted.place::int4
       FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))
            WITH ORDINALITY AS wanted(schema, name, identity, place)
       JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
      WHERE c.relreplident::pg_catalog.text <> wanted.identity
      ORDER BY wanted.place`,
    [
      tables.map(({ schema }) => schema),
      tables.map(({ name }) => name),
      tables.map(({ previous }) => (CLAUSES[previous] === undefined ? 'd' : previous)),
    ],
  );
  return rows.flatMap(({ place }) => tables[place - 1] ?? []);
}

function previousIdentity({ schema, name, previous }: AlteredIdentity): string {
  return `ALTER TABLE ONLY ${quoteQualified(schema, name)} REPLICA IDENTITY ${CLAUSES[previous] ?? 'DEFAULT'}`;
}
