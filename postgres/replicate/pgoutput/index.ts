export * from './change';
export type { ChangeStream } from './change-stream';
export * from './decode';
export * from './exact-snapshot';
export * from './open-change-stream';
export { anotherServer, type HeldTimeline } from './identify-source';
export * from './identify-system';
export { slotLost } from './stream-failure';
export { Tuple, UNCHANGED, type Value } from './tuple';
