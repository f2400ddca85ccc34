import type { Client } from 'pg';
import { serverVersion } from '../../catalog';
import { DATABASE_SECTIONS } from './database-objects';
import { OPERATOR_SECTIONS } from './operators';
import { COMMENT_SECTIONS, OWNER_SECTIONS, PRIVILEGE_SECTIONS } from './owners-and-comments';
import { RELATION_SECTIONS, TABLE_SECTIONS } from './relations';
import { ROUTINE_AND_TYPE_SECTIONS, TYPE_SECTIONS } from './routines-and-types';
import type { Section } from './section';

/** The properties of one object by name; absent: the default. A name that begins with `~` holds deparsed SQL. */
export type Properties = Record<string, string>;

export interface Catalog {
  major: number;
  /**
   * What a person calls an object (`table "public"."orders"`) to its properties. Owners (`owner of …`), privileges
   * (`privileges of …`) and comments (`comment on …`) are entries of their own.
   */
  objects: Map<string, Properties>;
}

const SECTIONS = [
  ...DATABASE_SECTIONS,
  ...RELATION_SECTIONS,
  ...ROUTINE_AND_TYPE_SECTIONS,
  ...OPERATOR_SECTIONS,
  ...COMMENT_SECTIONS,
  ...OWNER_SECTIONS,
  ...PRIVILEGE_SECTIONS,
];

/**
 * Everything about a database that is not rows: all objects of its users, without those of extensions, of the server
 * and of ours. Roles stand by their names, never by their oids. The session needs the settings of `withConnection`; in a
 * transaction all of it is of one snapshot.
 */
export async function readCatalog(client: Client): Promise<Catalog> {
  return await readSections(client, SECTIONS);
}

/**
 * Of the catalog the tables with their columns and constraints, and types. No view is read: its deparsed query waits for
 * whoever has locked one of its tables.
 */
export async function readTables(client: Client): Promise<Catalog> {
  return await readSections(client, [
    ...TABLE_SECTIONS.map(
      (section): Section =>
        (major) =>
          `SELECT * FROM (${section(major)}) AS s WHERE identity ~ '^(table|column|constraint) '`,
    ),
    ...TYPE_SECTIONS,
  ]);
}

async function readSections(client: Client, sections: Section[]): Promise<Catalog> {
  const { major } = await serverVersion(client);
  const objects = new Map<string, Properties>();
  for (const section of sections) {
    const { rows } = await client.query<{ identity: string; definition: Properties }>(section(major));
    for (const row of rows) objects.set(row.identity, row.definition);
  }
  return { major, objects };
}
