import type { Bed } from './bed';

/** One way to apply a backlog. */
export interface Engine {
  readonly name: string;
  /** Before the backlog is written: makes what each of that many runs will read it from. */
  prepare(bed: Bed, rounds: number): Promise<void>;
  /** Makes a fresh target and all that is not to be timed; rounds count from 1. */
  ready(bed: Bed, round: number): Promise<EngineRun>;
  /** After the last run, for what it kept between runs. */
  close?(): Promise<void>;
}

export interface EngineRun {
  /** From here on it is timed. */
  go(): Promise<void>;
  /** Rejects when the engine fails; never resolves. */
  failure: Promise<never>;
  /** Stops it and gives back what would keep the next run from its slot. */
  finish(): Promise<EngineFigures>;
}

export interface EngineFigures {
  /** Of the process that applies; absent where that is a server's own. */
  peakBytes?: number;
  /** User and system time of that process. */
  cpuSeconds?: number;
}
