export { openTargetDatabase } from './closed-database';
export * from './create-target-database';
export * from './database-settings';
export * from './drop-target-database';
export * from './early-properties';
export * from './maintenance';
export * from './release-target-database';
export * from './reread-properties';
export * from './sessions';
