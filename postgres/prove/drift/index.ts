export * from './accept-drift';
export * from './catalog-ahead';
export * from './catalog-mark';
export * from './drift-since';
export * from './drift-watch';
export * from './stored-catalog';
export * from './unpublished-tables';
