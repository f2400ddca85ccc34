export * from './accept-drift';
export * from './acceptable-drift';
export * from './catalog-ahead';
export * from './catalog-mark';
export { isOfTheDatabase } from './comparable-catalog';
export * from './drift-since';
export * from './drift-watch';
export * from './stored-catalog';
export * from './unpublished-tables';
