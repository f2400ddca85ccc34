/** Superusers by which a provider looks after its servers: they write nothing of a user's, and nobody else may alter them. */
export const PROVIDER_ROLES = [
  'alloydbadmin',
  'alloydbagent',
  'azuresu',
  'cloudsqladmin',
  'cloudsqlagent',
  'rdsadmin',
  'rdsrepladmin',
  'rdstopmgr',
];

/** In place of a superuser's; Azure's own, azure_pg_admin, is on every server there. */
const ADMINISTRATORS = ['alloydbsuperuser', 'cloudsqlsuperuser', 'rds_superuser'];

/** What a provider's role owns on the source is the target user's on the target, where nobody has that role or may act for it. */
const PROVIDER_OWNERS = [...PROVIDER_ROLES, ...ADMINISTRATORS];

export function isProviders(role: string): boolean {
  return PROVIDER_OWNERS.includes(role);
}

/** A condition on a role's oid: it is the provider's. Rights that such a role was given stay behind. */
export function isProvidersRole(oid: string): string {
  return `pg_catalog.pg_get_userbyid(${oid}) IN (${PROVIDER_OWNERS.map((role) => `'${role}'`).join(', ')})`;
}

/**
 * A condition on the row of `pg_namespace` of schema public: a user gave it to a role. The bootstrap superuser's and
 * pg_database_owner's are what initdb gave; RDS gives it to `rdsadmin`, Cloud SQL to `cloudsqlsuperuser`.
 */
export function isGivenAway(alias: string): string {
  const givers = ['pg_database_owner', ...PROVIDER_OWNERS].map((role) => `'${role}'`).join(', ');
  return `(${alias}.nspowner <> 10 AND pg_catalog.pg_get_userbyid(${alias}.nspowner) NOT IN (${givers}))`;
}
