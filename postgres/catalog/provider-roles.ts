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
