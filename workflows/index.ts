export { database } from './database.workflow';
export { load } from './load.workflow';
export { migration } from './migration.workflow';
