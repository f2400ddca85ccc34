import type { BenchServers } from '../support/bench-servers';
import type { Filling } from './schema';
import type { Writer } from './writer';

/** One way to bring a database over while it is written to. */
export interface Mover {
  readonly name: string;
  /** Returns when the target is so close behind the source that one may cut over. */
  follow(move: Move): Promise<Following>;
}

export interface Move {
  servers: BenchServers;
  filling: Filling;
  /** Of all runs, from 1 on. */
  number: number;
  /** Milliseconds that it may take to copy and to catch up. */
  patience: number;
  signal: AbortSignal;
}

export interface Following {
  /** Returns when the application may write to the target. */
  cutOver(writer: Writer): Promise<CutoverFigures>;
  /** Ends what still runs. */
  finish(): Promise<void>;
}

/** Seconds. */
export interface CutoverFigures {
  /** While the application still wrote. */
  before: Record<string, number>;
  /** Of the outage; some may be under way at a time. */
  steps: Record<string, number>;
  /** As the tool itself says. */
  fenced?: number;
}
