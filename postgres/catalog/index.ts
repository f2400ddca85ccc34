export * from './database-properties';
export * from './server-version';
export * from './staging-database';
export * from './user-databases';
export * from './user-objects';
