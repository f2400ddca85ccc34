export * from './database-properties';
export * from './server-version';
export * from './source-objects';
export * from './staging-database';
export * from './user-databases';
export * from './user-objects';
export * from './replica-role';
export * from './system-identifier';
