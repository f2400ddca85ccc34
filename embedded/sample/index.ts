export * from './load-sample';
export { createSampleRoles, type SampleServer } from './sample-databases';
export { SampleWriter, type SampleWriterFigures } from './sample-writer';
