import type { Side } from '../../postgres/connect';
import type { ServerAddress } from '../support/sessions';

/** The database that is cloned; it has the same name on both sides. */
export const DATABASE = 'clone';

export interface CloneRun {
  /** As the cloner reaches them. */
  servers: Record<Side, ServerAddress>;
  /** Of all runs, from 1 on. */
  number: number;
  /** How much goes on at a time. */
  jobs: number;
  /** A directory of this run alone. */
  directory: string;
  /** Prints a line. */
  say: (line: string) => void;
  signal: AbortSignal;
}

/** One way to clone a database with all that is in it, up to ANALYZE. */
export interface Cloner {
  readonly name: string;
  /** Ours: what is to be as fast as the targets say; `peer`: what it is compared with; `floor`: what nobody beats. */
  readonly kind: 'ours' | 'peer' | 'floor';
  /** @throws Error where it fails */
  clone(run: CloneRun): Promise<void>;
}
