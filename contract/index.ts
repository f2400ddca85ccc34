export * from './errors';
export * from './names';
export * from './request';
export * from './status';
export * from './steps';
