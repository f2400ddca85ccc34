export { applyChanges, type Applied, type ApplyArguments, type RefusedChange } from './apply-changes';
export { MESSAGES_SINCE } from './marker';
export type { Until } from './met-markers';
