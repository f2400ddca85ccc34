export * from './application-name';
export * from './connection';
export * from './endpoint';
export * from './identifier';
export * from './map-error';
export * from './predecessors';
export { applySessionSettings } from './session-settings';
