export { applyChanges, type Applied, type ApplyArguments, type RefusedChange } from './apply-changes';
export { isMarkerMet, untilMarkerMet, type Until } from './met-markers';
export { watchStream, type WatchArguments } from './watch-stream';
