import { isProviders } from '../catalog';
import type { ArchiveEntry } from './read-archive';

const NAME = String.raw`(?:"(?:[^"]|"")*"|[^"\s;])+`;
/** pg_dump names one grantee in each. */
const PRIVILEGE = new RegExp(
  `^((?:GRANT|REVOKE) .* (?:TO|FROM) )(${NAME})((?: WITH GRANT OPTION)?;)\n?`,
  'gm',
);

/**
 * A privilege's definition as the target is to have it: where the owner stays behind, what it says of the owner is said of
 * whoever creates the object; what it gives to another role of the source's provider is left out; from a role that the
 * target does not have, nothing is revoked, for it has no rights (pg_dump up to 14 revokes those of the role that initdb gave
 * schema public to).
 *
 * @param options.owner false: the object belongs to whoever creates it
 * @param options.roles the target's
 */
export function granteesOnTarget(
  { definition, owner }: ArchiveEntry,
  options: { owner: boolean; roles: ReadonlySet<string> },
): string {
  return definition.replace(PRIVILEGE, (statement: string, head: string, grantee: string, tail: string) => {
    const role = unquoted(grantee);
    if (role === owner && !options.owner) return `${head}CURRENT_USER${tail}\n`;
    const isNeedless = head.startsWith('REVOKE') && grantee !== 'PUBLIC' && !options.roles.has(role);
    return isNeedless || isProviders(role) ? '' : statement;
  });
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
