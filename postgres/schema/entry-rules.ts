import { LEDGER_SCHEMA, SOURCE_OBJECT_PATTERN } from '../../contract';
import { MANAGED_EXTENSIONS, MANAGED_SCHEMAS } from '../catalog';
import { isPrivilege } from './entry-statement';
import type { ArchiveEntry } from './read-archive';

export interface EntryOptions {
  /** Objects belong to the target's user. */
  noOwner: boolean;
  /** Leave out GRANT, REVOKE and default privileges. */
  noPrivileges: boolean;
}

/** Why an entry of the archive is not executed; its name stands in `archive_entry.skipped_by`. */
export interface EntryRule {
  name: string;
  /** For people. */
  reason: string;
  /** The object will not exist on the target, so its comments, privileges and labels go with it. */
  objectAbsent: boolean;
  applies: (entry: ArchiveEntry, options: EntryOptions) => boolean;
}

const ATTACHED = ['ACL', 'COMMENT', 'SECURITY LABEL'];
/** Go where an object goes that they depend on. */
const FOLLOWING = [...ATTACHED, 'PUBLICATION TABLE', 'PUBLICATION TABLES IN SCHEMA'];

const OURS = new RegExp(SOURCE_OBJECT_PATTERN);

/** The first that applies decides. */
export const ENTRY_RULES: readonly EntryRule[] = [
  {
    name: 'archive-setting',
    reason: 'A setting of the session that reads the archive; ours are set at every connect.',
    objectAbsent: false,
    applies: is('ENCODING', 'STDSTRINGS', 'SEARCHPATH'),
  },
  {
    name: 'database-properties',
    reason: 'The database is created and given its properties before its schema.',
    objectAbsent: false,
    applies: (entry) => is('DATABASE', 'DATABASE PROPERTIES')(entry) || isAttachedTo(entry, 'DATABASE'),
  },
  {
    name: 'ledger-schema',
    reason: 'The ledger that an earlier migration left on the source; the target has its own.',
    objectAbsent: true,
    applies: (entry) =>
      entry.schema === LEDGER_SCHEMA || (entry.description === 'SCHEMA' && entry.tag === LEDGER_SCHEMA),
  },
  {
    name: 'own-source-objects',
    reason: 'What an online migration has on its source for as long as it runs.',
    objectAbsent: true,
    applies: (entry) =>
      OURS.test(entry.schema) || (is('SCHEMA', 'PUBLICATION')(entry) && OURS.test(entry.tag)),
  },
  {
    name: 'public-schema',
    reason:
      'Schema public stands in every new database; its owner is set where that may be, before anything is made.',
    objectAbsent: false,
    applies: (entry) => entry.description === 'SCHEMA' && entry.tag === 'public',
  },
  {
    name: 'managed-extension',
    reason: 'The extension comes with the server.',
    objectAbsent: false,
    applies: (entry) =>
      entry.description === 'EXTENSION' && ['plpgsql', ...MANAGED_EXTENSIONS].includes(entry.tag),
  },
  {
    name: 'managed-schema',
    reason: 'The schema belongs to an extension that comes with the server.',
    objectAbsent: true,
    applies: (entry) =>
      MANAGED_SCHEMAS.includes(entry.schema) ||
      (entry.description === 'SCHEMA' && MANAGED_SCHEMAS.includes(entry.tag)),
  },
  {
    name: 'extension-comment',
    reason: "CREATE EXTENSION sets the comment; only the extension's owner may change it.",
    objectAbsent: false,
    applies: (entry) => entry.description === 'COMMENT' && entry.tag.startsWith('EXTENSION '),
  },
  {
    name: 'no-privileges',
    reason: 'The request leaves privileges out.',
    objectAbsent: false,
    applies: (entry, options) => options.noPrivileges && isPrivilege(entry),
  },
  {
    name: 'server-privileges',
    reason: "The server's own objects are the target's provider's, and others in each version.",
    objectAbsent: false,
    applies: (entry) => isPrivilege(entry) && entry.schema === 'pg_catalog',
  },
  {
    name: 'subscription',
    reason: 'It would start to pull changes into the target.',
    objectAbsent: true,
    applies: is('SUBSCRIPTION', 'SUBSCRIPTION TABLE'),
  },
  {
    name: 'large-object',
    reason: 'Large objects are copied with the data.',
    objectAbsent: true,
    applies: (entry) =>
      is('BLOB', 'BLOB METADATA', 'BLOBS', 'BLOB COMMENTS')(entry) || isAttachedTo(entry, 'LARGE OBJECT'),
  },
  {
    name: 'materialized-view-data',
    reason: 'Materialized views are refreshed when all data is there.',
    objectAbsent: false,
    applies: is('MATERIALIZED VIEW DATA'),
  },
  {
    name: 'sequence-set',
    reason: 'Sequences are set when all data is there.',
    objectAbsent: false,
    applies: is('SEQUENCE SET'),
  },
  {
    name: 'table-data',
    reason: 'Tables are copied part by part.',
    objectAbsent: false,
    applies: is('TABLE DATA'),
  },
  {
    name: 'statistics-data',
    reason: 'The target analyzes its tables itself.',
    objectAbsent: false,
    applies: is('STATISTICS DATA'),
  },
];

/**
 * Which entries are left out, and by which rule's name. Comments, privileges, security labels and the tables of a
 * publication follow their object where it will not exist.
 *
 * @returns by dump id; an entry that is executed is not in it
 */
export function leftOutEntries(entries: ArchiveEntry[], options: EntryOptions): Map<number, string> {
  const leftOut = new Map<number, string>();
  const absent = new Map<number, string>();
  for (const entry of entries) {
    const rule = ENTRY_RULES.find(({ applies }) => applies(entry, options));
    if (rule === undefined) continue;
    leftOut.set(entry.dumpId, rule.name);
    if (rule.objectAbsent) absent.set(entry.dumpId, rule.name);
  }
  for (const entry of entries) {
    if (leftOut.has(entry.dumpId) || !FOLLOWING.includes(entry.description)) continue;
    const object = entry.dependencies.find((dumpId) => absent.has(dumpId));
    const name = object === undefined ? undefined : absent.get(object);
    if (name !== undefined) leftOut.set(entry.dumpId, name);
  }
  return leftOut;
}

function is(...descriptions: string[]): (entry: ArchiveEntry) => boolean {
  return (entry) => descriptions.includes(entry.description);
}

/** A comment, privilege or label of an object of this kind; their tags begin with the kind. */
function isAttachedTo(entry: ArchiveEntry, kind: string): boolean {
  return ATTACHED.includes(entry.description) && new RegExp(`^${kind}S? `).test(entry.tag);
}
