export { ChangeRejection } from './change-rejection';
export { MOST_KEYS } from './changed-keys';
export type { AppliedIdentity, TargetTable } from './target-table';
export { TargetTables } from './target-tables';
export { writeChanges, type WriteArguments, type Written } from './write-changes';
