export * from './checksums';
export * from './find-table';
export * from './cutover';
export * from './ledger';
export * from './ledger-schema';
export * from './table-load';
export * from './stream';
export * from './prover';
