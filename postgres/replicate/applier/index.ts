export { applyChanges, type Applied, type ApplyArguments, type RefusedChange } from './apply-changes';
export type { Until } from './met-markers';
