import type { BenchServers } from '../support/bench-servers';
import { Bed, type Fill } from './bed';
import type { Engine, EngineFigures } from './engine';

/** A backlog that every engine applies. */
export interface BacklogCase {
  /** For `--only`. */
  name: string;
  title: string;
  /** Of ours to the subscription's time, at most; absent: none is set. */
  targetRatio?: number;
  /** Of our process, at most. */
  targetPeakBytes?: number;
  fill: Fill;
  /** On the source, between the slots' creation and the first run. */
  write: (bed: Bed) => Promise<void>;
}

/** One engine's run through one backlog. */
export interface Run extends EngineFigures {
  engine: string;
  round: number;
  /** From the order to begin until the backlog's last row is seen on the target. */
  seconds: number;
}

export interface BacklogResult {
  name: string;
  title: string;
  targetRatio?: number;
  targetPeakBytes?: number;
  backlogBytes: number;
  runs: Run[];
  /** What an engine failed with, by its name; it is left out from then on. */
  failures: Record<string, string>;
}

export async function runBacklog(
  theCase: BacklogCase,
  options: {
    servers: BenchServers;
    engines: Engine[];
    rounds: number;
    signal: AbortSignal;
    say: (line: string) => void;
  },
): Promise<BacklogResult> {
  const { servers, engines, rounds, signal, say } = options;
  const { name, title, targetRatio, targetPeakBytes } = theCase;
  const bed = await Bed.create(servers, theCase.fill, signal);
  try {
    for (const engine of engines) await engine.prepare(bed, rounds);
    say(`${title}: writing the backlog`);
    await bed.makeBacklog(() => theCase.write(bed));
    const { backlogBytes } = bed;
    const result: BacklogResult = {
      name,
      title,
      targetRatio,
      targetPeakBytes,
      backlogBytes,
      runs: [],
      failures: {},
    };
    for (let round = 1; round <= rounds; round += 1) {
      for (const engine of inTurn(engines, round)) await runOnce(bed, engine, round, result, say);
    }
    return result;
  } finally {
    for (const engine of engines) await engine.close?.();
    await bed.drop();
  }
}

/** Each round another one begins: what the first run leaves in the caches helps nobody always. */
function inTurn(engines: Engine[], round: number): Engine[] {
  const first = (round - 1) % engines.length;
  return [...engines.slice(first), ...engines.slice(0, first)];
}

async function runOnce(
  bed: Bed,
  engine: Engine,
  round: number,
  result: BacklogResult,
  say: (line: string) => void,
): Promise<void> {
  if (result.failures[engine.name] !== undefined) return;
  try {
    const run = await engine.ready(bed, round);
    let seconds = 0;
    let figures: EngineFigures = {};
    try {
      await bed.settle();
      const begin = performance.now();
      await run.go();
      await bed.endSeen(run.failure);
      seconds = (performance.now() - begin) / 1000;
    } finally {
      figures = await run.finish();
    }
    await bed.checkTarget();
    result.runs.push({ engine: engine.name, round, seconds, ...figures });
    say(`  round ${round}, ${engine.name}: ${seconds.toFixed(2)} s`);
  } catch (error) {
    bed.signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    result.failures[engine.name] = message;
    say(`  round ${round}, ${engine.name} FAILED: ${message}`);
  }
}
