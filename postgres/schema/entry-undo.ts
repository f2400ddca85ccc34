import { quoteIdentifier } from '../connect';
import type { ArchiveEntry } from './read-archive';

/**
 * The statements that take back what an entry's statement did, so that it can be executed again later: what pg_dump
 * itself would drop the object by, and for what it drops only together with the table, what follows from the definition.
 *
 * @returns '' for what goes with another object, or may stay
 */
export function entryUndo(entry: ArchiveEntry): string {
  switch (entry.description) {
    case 'ROW SECURITY':
      return entry.definition.replace(/\bENABLE( ROW LEVEL SECURITY;\s*)$/, 'DISABLE$1').trim();
    case 'ACL':
      return grantsOfRevokes(entry);
    default:
      return entry.dropStatement.trim();
  }
}

/**
 * A grant may stay. But what was revoked from the owner we need ourselves, as a member of that role, to go on writing; to
 * whom nothing was ever granted, nothing is revoked but what everybody has at first, so that GRANT ALL restores it.
 */
function grantsOfRevokes(entry: ArchiveEntry): string {
  const grantees = new Set(['PUBLIC', 'CURRENT_USER', entry.owner, quoteIdentifier(entry.owner)]);
  const revokes = entry.definition.matchAll(
    /^REVOKE ALL ON ((?:"(?:[^"]|"")*"|[^";])+?) FROM ("(?:[^"]|"")*"|\w+);$/gm,
  );
  return [...revokes]
    .filter(([, , grantee = '']) => grantees.has(grantee))
    .map(([, object = '', grantee = '']) => `GRANT ALL ON ${object} TO ${grantee};`)
    .join('\n');
}
