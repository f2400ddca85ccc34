export * from './catalog-snapshot';
export * from './compare-catalogs';
export * from './left-to-the-target';
