export * from './rule';
export * from './validate';
