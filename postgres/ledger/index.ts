export * from './ledger';
export * from './ledger-schema';
