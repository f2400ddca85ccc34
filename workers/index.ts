export * from './run-worker';
export type { LogLevel, RuntimeOptions } from './runtime';
