import type { Client } from 'pg';
import type { KeylessTables } from '../../../contract';
import { serverVersion } from '../../catalog';
import { quoteIdentifier, quoteQualified } from '../../connect';
import { classifyTables, type ClassifiedTable } from './classify-tables';
import { rememberIdentities, setIdentity } from './identities';
import {
  alterTable,
  altering,
  IDENTITY_LOCK,
  PUBLISHING_LOCK,
  tryAltering,
  type AlterationArguments,
} from './lock-to-alter';
import { FIRST_MAJOR_WITH_MESSAGES } from '../pgoutput';
import { MARKER_TABLE } from './marker';
import { publishedTables, type PublishedTable } from './published-tables';
import { markerSchema, publicationNames } from './names';

const TABLES_PER_TRANSACTION = 200;

export interface PublishArguments extends AlterationArguments {
  migrationId: string;
  keylessTables: KeylessTables;
}

/** A table and what has to become of it in our publications. */
interface Change {
  table: ClassifiedTable;
  add?: string;
  drop: string[];
}

/**
 * Brings the publications in line with the database's tables, few tables a transaction, so that nothing is waited for
 * while other tables are locked. At every moment the application's own writes work: a table without a usable identity
 * is never in a publication of UPDATE and DELETE.
 *
 * @param beforeChange runs before anything is changed: a slot that stands already would decode what was written before
 *   with publications that did not publish it
 * @returns all tables, published as they are classified
 */
export async function publishTables(
  args: PublishArguments,
  beforeChange: () => Promise<void>,
): Promise<ClassifiedTable[]> {
  const { client } = args;
  const { major } = await serverVersion(client);
  for (;;) {
    args.signal.throwIfAborted();
    const tables = await classifyTables(client, args);
    const changes = changesOf(tables, await publishedTables(client, args.migrationId), args.migrationId);
    const standing = await areStanding(client, args.migrationId, major);
    if (standing && changes.length === 0) return tables;
    await beforeChange();
    if (!standing) await createPublications(client, args.migrationId, major);
    await alterIdentities(
      args,
      changes.filter(({ table }) => table.alterIdentity),
    );
    await alterPublications(
      args,
      changes.filter(({ table }) => !table.alterIdentity),
    );
  }
}

/** Whether the publications are there as we make them, and where messages are not published the marker's table. */
export async function areStanding(client: Client, migrationId: string, major: number): Promise<boolean> {
  const { keyed, append } = publicationNames(migrationId);
  const { rows } = await client.query<{ publications: number }>(
    `SELECT pg_catalog.count(*)::integer AS publications FROM pg_catalog.pg_publication p
      WHERE p.pubname IN ($1, $2) AND p.pubinsert AND p.pubtruncate
        AND p.pubupdate = (p.pubname = $1) AND p.pubdelete = (p.pubname = $1)
        AND COALESCE((pg_catalog.to_jsonb(p) ->> 'pubviaroot')::pg_catalog.bool, false) = false`,
    [keyed, append],
  );
  if (rows[0]?.publications !== 2) return false;
  return major >= FIRST_MAJOR_WITH_MESSAGES || (await isMarkerPublished(client, migrationId));
}

async function isMarkerPublished(client: Client, migrationId: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_catalog.pg_publication_tables
      WHERE pubname = $1 AND schemaname = $2 AND tablename = $3`,
    [publicationNames(migrationId).keyed, markerSchema(migrationId), MARKER_TABLE],
  );
  return rowCount === 1;
}

function changesOf(
  tables: ClassifiedTable[],
  published: Map<number, PublishedTable>,
  migrationId: string,
): Change[] {
  const { keyed, append } = publicationNames(migrationId);
  const wanted = { key: keyed, full: keyed, append, late: undefined };
  return tables.flatMap((table) => {
    const publication = wanted[table.identity];
    const { whole, filtered } = published.get(table.oid) ?? { whole: [], filtered: [] };
    const drop = [...whole.filter((each) => each !== publication), ...filtered];
    const add = publication !== undefined && !whole.includes(publication) ? publication : undefined;
    return table.alterIdentity || add !== undefined || drop.length > 0 ? [{ table, add, drop }] : [];
  });
}

async function createPublications(client: Client, migrationId: string, major: number): Promise<void> {
  const { keyed, append } = publicationNames(migrationId);
  await altering(client, async () => {
    await createPublication(client, major, { name: keyed, publish: 'insert, update, delete, truncate' });
    await createPublication(client, major, { name: append, publish: 'insert, truncate' });
    if (major >= FIRST_MAJOR_WITH_MESSAGES) return;
    const schema = quoteIdentifier(markerSchema(migrationId));
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${schema}.${MARKER_TABLE} (id pg_catalog.int4 PRIMARY KEY, content pg_catalog.text)`,
    );
    if (await isMarkerPublished(client, migrationId)) return;
    await client.query(
      `ALTER PUBLICATION ${quoteIdentifier(keyed)} ADD TABLE ONLY ${schema}.${MARKER_TABLE}`,
    );
  });
}

/** The first major whose publications can take partitions for their root. */
const FIRST_MAJOR_VIA_ROOT = 13;

/** One that is there and was altered is set right. */
async function createPublication(
  client: Client,
  major: number,
  { name, publish }: { name: string; publish: string },
): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_catalog.pg_publication WHERE pubname = $1', [name]);
  const viaRoot = major >= FIRST_MAJOR_VIA_ROOT ? ', publish_via_partition_root = false' : '';
  const options = `(publish = '${publish}'${viaRoot})`;
  const publication = `PUBLICATION ${quoteIdentifier(name)}`;
  await client.query(
    rowCount === 0 ? `CREATE ${publication} WITH ${options}` : `ALTER ${publication} SET ${options}`,
  );
}

async function alterIdentities(args: PublishArguments, changes: Change[]): Promise<void> {
  if (changes.length === 0) return;
  const { client, migrationId } = args;
  await rememberIdentities(
    client,
    migrationId,
    changes.map(({ table }) => table),
  );
  for (const [done, change] of changes.entries()) {
    args.onProgress(`setting replica identities: ${done} of ${changes.length} tables`);
    await alterTable(args, change.table, IDENTITY_LOCK, async () => {
      await setIdentity(client, change.table);
      await applyChanges(client, [change]);
    });
  }
}

async function alterPublications(args: PublishArguments, changes: Change[]): Promise<void> {
  const { client } = args;
  for (let first = 0; first < changes.length; first += TABLES_PER_TRANSACTION) {
    args.signal.throwIfAborted();
    args.onProgress(`publishing ${changes.length} tables: ${first} done`);
    const chunk = changes.slice(first, first + TABLES_PER_TRANSACTION);
    const tables = chunk.map(({ table }) => table);
    if (await tryAltering(client, tables, () => applyChanges(client, chunk))) continue;
    for (const change of chunk) {
      await alterTable(args, change.table, PUBLISHING_LOCK, () => applyChanges(client, [change]));
    }
  }
}

/** A table leaves one publication and enters the other in one transaction. */
async function applyChanges(client: Client, changes: Change[]): Promise<void> {
  const publications = new Set(changes.flatMap(({ add, drop }) => [...drop, ...(add ? [add] : [])]));
  for (const publication of publications) {
    const name = quoteIdentifier(publication);
    const dropped = listTables(changes.filter(({ drop }) => drop.includes(publication)));
    if (dropped !== '') await client.query(`ALTER PUBLICATION ${name} DROP TABLE ${dropped}`);
    const added = listTables(changes.filter(({ add }) => add === publication));
    if (added !== '') await client.query(`ALTER PUBLICATION ${name} ADD TABLE ${added}`);
  }
}

function listTables(changes: Change[]): string {
  return changes.map(({ table }) => `ONLY ${quoteQualified(table.schema, table.name)}`).join(', ');
}
