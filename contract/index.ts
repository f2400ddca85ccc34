export * from './enumerate';
export * from './errors';
export * from './names';
export * from './online-steps';
export * from './request';
export * from './status';
export * from './steps';
export * from './throttle';
