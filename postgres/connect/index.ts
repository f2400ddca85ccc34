export * from './application-name';
export { withConnection } from './connection';
export * from './endpoint';
export * from './identifier';
export * from './map-error';
export { open, socketOf, type ConnectionKind } from './open';
export * from './predecessors';
export { applySessionSettings } from './session-settings';
export { whileFed } from './silence-watch';
