import { isNotValid, isPrivilege } from './entry-statement';
import type { ArchiveEntry, EntrySection } from './read-archive';

/**
 * When an entry is executed:
 * - `pre-data`: before any data;
 * - `table`: as soon as its table's data is there, in any order, side by side;
 * - `post-data`: after all data, in the archive's order;
 * - `acl`, then `post-acl`: pg_restore's later passes (`_tocEntryRestorePass`): privileges last, since they may take
 *   rights away that the work before needs (those of schemas excepted), and event triggers after them, since they
 *   would fire on our own work.
 */
export type EntryPhase = 'pre-data' | 'table' | 'post-data' | 'acl' | 'post-acl';

/** What can take long and needs nothing but its table's data. A foreign key needs another table's too. */
const OF_ONE_TABLE = ['INDEX', 'CONSTRAINT', 'CHECK CONSTRAINT'];

/**
 * @param tableOids by dump id, the table that an entry belongs to; see `tablesOfEntries`
 * @returns by dump id, for every entry
 */
export function entryPhases(
  entries: ArchiveEntry[],
  tableOids: ReadonlyMap<number, number>,
): Map<number, EntryPhase> {
  const phases = new Map<number, EntryPhase>();
  let section: EntrySection = 'pre-data';
  for (const entry of entries) {
    // comments, privileges and labels have no section of their own: they follow their object
    if (entry.section !== 'none') section = entry.section;
    phases.set(entry.dumpId, phaseOf(entry, section, { tableOids, phases }));
  }
  return phases;
}

function phaseOf(
  entry: ArchiveEntry,
  section: EntrySection,
  before: { tableOids: ReadonlyMap<number, number>; phases: ReadonlyMap<number, EntryPhase> },
): EntryPhase {
  if (isPrivilege(entry)) return isOfSchema(entry) ? 'pre-data' : 'acl';
  if (isPostPrivilege(entry)) return 'post-acl';
  if (section === 'pre-data') return 'pre-data';
  const table = before.tableOids.get(entry.dumpId);
  if (table === undefined || !OF_ONE_TABLE.includes(entry.description)) return 'post-data';
  // rows that it would refuse may have to be copied once more, and it takes no time to build
  if (isNotValid(entry.definition)) return 'post-data';
  // what needs a function or a materialized view that itself had to wait for post-data waits with it; the index of a
  // partition names that of its parent, but needs it only when it is attached
  const ready = entry.dependencies.every((dumpId) => {
    const phase = before.phases.get(dumpId) ?? 'pre-data';
    return phase === 'pre-data' || (phase === 'table' && before.tableOids.get(dumpId) !== table);
  });
  return ready ? 'table' : 'post-data';
}

/**
 * pg_restore grants them last, too. But who is no superuser, as nobody is on a managed server, may give an object only
 * to a role with CREATE on its schema: in `public` everybody has it up to 14 and nobody from 15 on.
 */
function isOfSchema(privilege: ArchiveEntry): boolean {
  return privilege.description === 'ACL' && privilege.tag.startsWith('SCHEMA ');
}

function isPostPrivilege(entry: ArchiveEntry): boolean {
  if (entry.description === 'EVENT TRIGGER' || entry.description === 'MATERIALIZED VIEW DATA') return true;
  const attached = entry.description === 'COMMENT' || entry.description === 'SECURITY LABEL';
  return attached && entry.tag.startsWith('EVENT TRIGGER ');
}
