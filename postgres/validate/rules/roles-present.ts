import { quoteIdentifier } from '../../connect';
import { enumerate, failed, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';
import { readSourceRoles } from '../source-roles';

export const rolesPresent: Rule<DatabaseContext> = {
  id: 'roles-present',
  holds: 'Every role that the schema names exists on the target.',
  async check({ request, sourceClient, target }) {
    const { rows } = await target.client.query<{ rolname: string }>(
      'SELECT rolname FROM pg_catalog.pg_roles',
    );
    const present = new Set(rows.map((row) => row.rolname));
    const roles = await readSourceRoles(sourceClient);
    const absent = (names: string[]) => names.filter((name) => !present.has(name));
    return [
      ...(request.noOwner ? [] : ofProviders(roles.providers)),
      ...(request.noPrivileges ? [] : grantedToProviders(roles.grantedProviders)),
      ...(request.noOwner ? [] : missing(absent(roles.owners), 'owners', 'or use --no-owner')),
      ...(request.noPrivileges
        ? []
        : missing(absent(roles.grantees), 'receivers or givers of rights', 'or use --no-privileges')),
      ...missing(
        absent(roles.others),
        'named by policies, user mappings or settings',
        'or drop what names it on the source',
      ),
    ];
  },
};

function ofProviders(names: string[]): Verdict[] {
  if (names.length === 0) return [];
  return [
    warning(
      `What roles of the source's provider own will be the target user's: ${enumerate(names.map(quoteIdentifier))}.`,
      "Nothing to do, unless it should be another role's: give it to that role on the source, or on the target afterwards.",
    ),
  ];
}

function grantedToProviders(names: string[]): Verdict[] {
  if (names.length === 0) return [];
  return [
    warning(
      `Rights that roles of the source's provider were granted stay behind: ${enumerate(names.map(quoteIdentifier))}.`,
      'Nothing to do, unless an application has its rights by such a role: grant them to its own role on the source before.',
    ),
  ];
}

function missing(names: string[], what: string, otherwise: string): Verdict[] {
  const [first] = names;
  if (first === undefined) return [];
  const quoted = names.map(quoteIdentifier);
  return [
    failed(
      `Roles absent on the target, ${what} on the source: ${enumerate(quoted)}.`,
      `Create them on the target (CREATE ROLE ${quoteIdentifier(first)}…), ${otherwise}.`,
    ),
  ];
}
