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
import { publishedTables } from './published-tables';
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
 */
export async function publishTables(
  args: PublishArguments,
  beforeChange: () => Promise<void>,
): Promise<void> {
  const { client } = args;
  const { major } = await serverVersion(client);
  for (;;) {
    args.signal.throwIfAborted();
    const tables = await classifyTables(client, args);
    const changes = changesOf(tables, await publishedTables(client, args.migrationId), args.migrationId);
    const standing = await areStanding(client, args.migrationId, major);
    if (standing && changes.length === 0) return;
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

/** Whether the publications are there, and where messages are not published the marker's table. */
export async function areStanding(client: Client, migrationId: string, major: number): Promise<boolean> {
  const { keyed, append } = publicationNames(migrationId);
  const { rows } = await client.query<{ publications: number; marker: boolean }>(
    `SELECT (SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_publication WHERE pubname IN ($1, $2)) AS publications,
            EXISTS (SELECT FROM pg_catalog.pg_publication_tables
                     WHERE pubname = $1 AND schemaname = $3 AND tablename = $4) AS marker`,
    [keyed, append, markerSchema(migrationId), MARKER_TABLE],
  );
  const [found] = rows;
  return found?.publications === 2 && (found.marker || major >= FIRST_MAJOR_WITH_MESSAGES);
}

function changesOf(
  tables: ClassifiedTable[],
  published: Map<number, string[]>,
  migrationId: string,
): Change[] {
  const { keyed, append } = publicationNames(migrationId);
  const wanted = { key: keyed, full: keyed, append, late: undefined };
  return tables.flatMap((table) => {
    const publication = wanted[table.identity];
    const present = published.get(table.oid) ?? [];
    const drop = present.filter((each) => each !== publication);
    const add = publication !== undefined && !present.includes(publication) ? publication : undefined;
    return table.alterIdentity || add !== undefined || drop.length > 0 ? [{ table, add, drop }] : [];
  });
}

async function createPublications(client: Client, migrationId: string, major: number): Promise<void> {
  const { keyed, append } = publicationNames(migrationId);
  await altering(client, async () => {
    await createPublication(client, keyed, 'insert, update, delete, truncate');
    await createPublication(client, append, 'insert, truncate');
    if (major >= FIRST_MAJOR_WITH_MESSAGES) return;
    const schema = quoteIdentifier(markerSchema(migrationId));
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${schema}.${MARKER_TABLE} (id pg_catalog.int4 PRIMARY KEY, content pg_catalog.text)`,
    );
    await client.query(
      `ALTER PUBLICATION ${quoteIdentifier(keyed)} ADD TABLE ONLY ${schema}.${MARKER_TABLE}`,
    );
  });
}

async function createPublication(client: Client, name: string, publish: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_catalog.pg_publication WHERE pubname = $1', [name]);
  if (rowCount !== 0) return;
  await client.query(`CREATE PUBLICATION ${quoteIdentifier(name)} WITH (publish = '${publish}')`);
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
