export { hasCopied, isPlanOfToday } from './can-go-on';
export * from './complete-scope';
export * from './copy-format';
export * from './copy-group-online';
export * from './copy-late-rows';
export * from './copy-part';
export { copyPairs } from './copy-rows';
export * from './copy-tables';
export {
  hasUnlogged,
  refuseEmptied,
  refuseEmptiedSince,
  resetEmptied,
  witnessUnlogged,
} from './emptied-tables';
export * from './frame-relay';
export * from './keeper';
export * from './large-object-batches';
export * from './large-objects';
export * from './large-objects-checksum';
export { hasMoved, lateTables, type LateTable } from './late-tables';
export { streamedTablesCopiedInAttempt } from './late-step';
export * from './lock-tables';
export * from './online-keeper';
export * from './pace';
export * from './plan-load';
export * from './plan-online-load';
export * from './recopy';
export * from './schema-drift';
export * from './scope';
export { readSourceCounters } from './source-counters';
export * from './source-tables';
export * from './store-plan';
export * from './table-batches';
export * from './table-columns';
