import type { LedgerIdentity } from '../../postgres/ledger';

/** What the applier's process is told first. */
export interface ApplierSetup {
  /** Ports. */
  source: number;
  target: number;
  database: string;
  identity: LedgerIdentity;
}

export type ToApplier = { kind: 'setup'; setup: ApplierSetup } | { kind: 'go' } | { kind: 'stop' };

export type FromApplier =
  | { kind: 'ready' }
  | { kind: 'failed'; message: string }
  /** `peakBytes` since the process began, `cpuSeconds` since it was told to go. */
  | { kind: 'stopped'; peakBytes: number; cpuSeconds: number };
