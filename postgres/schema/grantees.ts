import { isProviders } from '../catalog';
import type { ArchiveEntry } from './read-archive';

const NAME = String.raw`(?:"(?:[^"]|"")*"|[^"\s;])+`;
/** A privilege's statements hold no strings and no comments: a quoted name is all there is to step over. */
const STATEMENT = /(?:"(?:[^"]|"")*"|[^";])+;\n?/g;
/** pg_dump names one grantee in each. */
const PRIVILEGE = new RegExp(`^((?:GRANT|REVOKE) [^]* (?:TO|FROM) )(${NAME})((?: WITH GRANT OPTION)?;\n?)$`);
const GRANTOR = new RegExp(`^SET SESSION AUTHORIZATION (${NAME});\n?$`);

/**
 * A privilege's definition as the target is to have it: where the owner stays behind, what it says of the owner is said of
 * whoever creates the object; what it gives to another role of the source's provider is left out, and what such a role gave
 * to others is given by the owner; from a role that the target does not have, nothing is revoked, for it has no rights
 * (pg_dump up to 14 revokes those of the role that initdb gave schema public to).
 *
 * @param options.owner false: the object belongs to whoever creates it
 * @param options.roles the target's
 */
export function granteesOnTarget(
  { definition, owner }: ArchiveEntry,
  options: { owner: boolean; roles: ReadonlySet<string> },
): string {
  return definition.replace(STATEMENT, (statement) => {
    const grantor = GRANTOR.exec(statement)?.[1];
    if (grantor !== undefined) return isProviders(unquoted(grantor)) ? '' : statement;
    const [, head = '', grantee = '', tail = ''] = PRIVILEGE.exec(statement) ?? [];
    if (head === '') return statement;
    const role = unquoted(grantee);
    if (role === owner && !options.owner) return `${head}CURRENT_USER${tail}`;
    const isNeedless = head.startsWith('REVOKE') && grantee !== 'PUBLIC' && !options.roles.has(role);
    return isNeedless || isProviders(role) ? '' : statement;
  });
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
