export { database } from './database.workflow';
export { load } from './load.workflow';
export { migration } from './migration.workflow';
export { replicate } from './replicate.workflow';
export { tidySource } from './tidy-source.workflow';
