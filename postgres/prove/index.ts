export * from './drift';
export * from './final-compare';
export { planFinalCompare } from './final-compare-plan';
export * from './bound-changed-rows';
export * from './left-to-compare';
export * from './prove-tables';
export type { TableBatch } from './table-standings';
export * from './tables-to-prove';
