export * from './load-sample';
export { createSampleRoles, type SampleServer } from './sample-databases';
