export * from './checksums';
export * from './ledger';
export * from './ledger-schema';
export * from './table-load';
