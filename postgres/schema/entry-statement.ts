import { FlexliftError } from '../../contract';
import { quoteIdentifier, quoteQualified } from '../connect';
import type { Creator } from './lent-rights';
import type { ArchiveEntry } from './read-archive';

/**
 * The statements that create an entry's object on the target, as pg_restore would send them (`_printTocEntry` of
 * src/bin/pg_dump/pg_backup_archiver.c), with three differences:
 * - our session's settings stand for the archive's prologue;
 * - tablespaces are left out, as with `--no-tablespaces`: everything goes to the target database's own;
 * - a grant made by another role than the owner is made with SET ROLE, since SET SESSION AUTHORIZATION is for superusers.
 *
 * @param options.owner false: the object belongs to whoever creates it
 * @returns '' for an entry that has nothing to execute
 * @throws FlexliftError ClientToolFailed for a kind of object whose owner is unknown how to set
 */
export function entryStatement(entry: ArchiveEntry, options: { owner: boolean }): string {
  const definition = isPrivilege(entry) ? grantAsRole(entry.definition) : withoutServersOwn(entry.definition);
  const statements = [
    ...withAccessMethod(entry, definition),
    options.owner ? ownerStatement(entry) : '',
    entry.relationKind === PARTITIONED_TABLE ? partitionedAccessMethod(entry) : '',
  ];
  return statements
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
    .join('\n');
}

/** A constraint that only new rows have to meet, as pg_get_constraintdef ends it. */
export function isNotValid(definition: string): boolean {
  return /\bNOT VALID;\s*$/.test(definition);
}

const NAME = String.raw`(?:"(?:[^"]|"")*"|[^"\s;])+`;
const COLUMN_OPTIONS = new RegExp(
  `^(ALTER [A-Z ]*ONLY ${NAME} ALTER COLUMN ${NAME} SET) \\((.*)\\);\n?`,
  'gm',
);

/** 15.20 keeps an option of its own with each column, which an older pg_dump writes and no server takes. */
function withoutServersOwn(definition: string): string {
  if (!definition.includes('pg_attver=')) return definition;
  return definition.replace(COLUMN_OPTIONS, (_match, alter: string, options: string) => {
    const kept = options.split(', ').filter((option) => !/^pg_attver='?\d+'?$/.test(option));
    return kept.length === 0 ? '' : `${alter} (${kept.join(', ')});\n`;
  });
}

/** For people: the kind and the quoted name, e.g. `TABLE "Sales"."Order lines"`. */
export function entryObject(entry: ArchiveEntry): string {
  const name = entry.schema === '' ? quoteIdentifier(entry.tag) : quoteQualified(entry.schema, entry.tag);
  return `${entry.description} ${name}`;
}

export function isPrivilege(entry: ArchiveEntry): boolean {
  return entry.description === 'ACL' || entry.description === 'DEFAULT ACL';
}

const PARTITIONED_TABLE = 'p';

function withAccessMethod(entry: ArchiveEntry, definition: string): string[] {
  const method = entry.accessMethod;
  // `heap` is what our sessions are set to
  if (method === '' || method === 'heap' || entry.relationKind === PARTITIONED_TABLE) return [definition];
  return [
    `SET LOCAL default_table_access_method = ${quoteIdentifier(method)};`,
    definition,
    `SET LOCAL default_table_access_method = heap;`,
  ];
}

function partitionedAccessMethod(entry: ArchiveEntry): string {
  if (entry.accessMethod === '') return '';
  return `ALTER TABLE ${quoteQualified(entry.schema, entry.tag)} SET ACCESS METHOD ${quoteIdentifier(entry.accessMethod)};`;
}

/** A privilege's statements hold no strings and no comments, so that a quoted name is all there is to step over. */
function grantAsRole(definition: string): string {
  return definition.replace(
    /"(?:[^"]|"")*"|\b(SET SESSION AUTHORIZATION DEFAULT|RESET SESSION AUTHORIZATION)\b|\bSET SESSION AUTHORIZATION\b/g,
    (match, reset?: string) => {
      if (match.startsWith('"')) return match;
      return reset === undefined ? 'SET LOCAL ROLE' : 'RESET ROLE';
    },
  );
}

/** `_getObjectDescription`: the tag is the name. */
const OWNED_BY_NAME = new Set([
  'COLLATION',
  'CONVERSION',
  'DOMAIN',
  'EVENT TRIGGER',
  'FOREIGN DATA WRAPPER',
  'FOREIGN TABLE',
  'MATERIALIZED VIEW',
  'PROCEDURAL LANGUAGE',
  'PUBLICATION',
  'SCHEMA',
  'SEQUENCE',
  'SERVER',
  'STATISTICS',
  'SUBSCRIPTION',
  'TABLE',
  'TEXT SEARCH CONFIGURATION',
  'TEXT SEARCH DICTIONARY',
  'TYPE',
  'VIEW',
]);

/** The name takes argument types and more, which stand in the DROP statement. */
const OWNED_BY_DROP = new Set([
  'AGGREGATE',
  'FUNCTION',
  'OPERATOR',
  'OPERATOR CLASS',
  'OPERATOR FAMILY',
  'PROCEDURE',
]);

const WITHOUT_OWNER = new Set([
  'CAST',
  'CHECK CONSTRAINT',
  'CONSTRAINT',
  'DEFAULT',
  'FK CONSTRAINT',
  'INDEX',
  'POLICY',
  'ROW SECURITY',
  'RULE',
  'TRIGGER',
  'USER MAPPING',
]);

function ownerStatement(entry: ArchiveEntry): string {
  // what has no DROP statement is a part of another object
  if (entry.owner === '' || entry.dropStatement === '' || WITHOUT_OWNER.has(entry.description)) return '';
  return `ALTER ${ownedObject(entry)} OWNER TO ${quoteIdentifier(entry.owner)};`;
}

/** The role that the entry's statement gives the object to, where that role has to have CREATE for it. */
export function entryCreator(entry: ArchiveEntry, options: { owner: boolean }): Creator | undefined {
  if (!options.owner || ownerStatement(entry) === '') return undefined;
  if (entry.schema !== '') return { role: entry.owner, schema: entry.schema };
  return entry.description === 'PUBLICATION' ? { role: entry.owner, schema: null } : undefined;
}

function ownedObject(entry: ArchiveEntry): string {
  if (OWNED_BY_NAME.has(entry.description)) return entryObject(entry);
  if (OWNED_BY_DROP.has(entry.description)) {
    return entry.dropStatement.replace(/^DROP /, '').replace(/[;\n]+$/, '');
  }
  throw new FlexliftError({
    code: 'ClientToolFailed',
    sentence: `pg_dump wrote a kind of object that this version of flexlift does not know: ${entry.description}.`,
    remedy: 'Use older PostgreSQL client tools (not older than the source), or a newer flexlift.',
    object: entryObject(entry),
  });
}
