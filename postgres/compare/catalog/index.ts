export * from './catalog-snapshot';
export * from './compare-catalogs';
