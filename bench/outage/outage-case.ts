import { setTimeout as pause } from 'node:timers/promises';
import type { BenchServers } from '../support/bench-servers';
import { withSession } from '../support/sessions';
import { databaseContents, differences } from '../support/table-contents';
import type { CutoverFigures, Mover } from './mover';
import { DATABASE, freshDatabases, type Filling } from './schema';
import { Writer } from './writer';

export interface OutageRun {
  mover: string;
  round: number;
  /** From the start until it was close behind the source. Seconds. */
  following: number;
  /** From the last transaction that the source accepted to the first that the target did. Seconds. */
  outage: number;
  figures: CutoverFigures;
  /** Transactions that the source accepted per second, right before the cutover was asked for. */
  rate: number;
  /** The longest time without an accepted transaction before that. Seconds. */
  longestPause: number;
}

export interface OutageResult {
  filling: Filling;
  runs: OutageRun[];
  /** One sentence per mover that came to no result. */
  failures: Record<string, string>;
}

export interface OutageOptions {
  servers: BenchServers;
  movers: Mover[];
  rounds: number;
  /** Transactions per second. */
  rate: number;
  /** That it is followed before the cutover. Milliseconds. */
  settle: number;
  patience: number;
  signal: AbortSignal;
  say: (line: string) => void;
}

let runsBegun = 0;

/** Of one database; the movers take turns, and another one begins each round. */
export async function runOutage(filling: Filling, options: OutageOptions): Promise<OutageResult> {
  const { movers, rounds, signal, say } = options;
  const result: OutageResult = { filling, runs: [], failures: {} };
  for (let round = 1; round <= rounds; round += 1) {
    const first = (round - 1) % movers.length;
    for (const mover of [...movers.slice(first), ...movers.slice(0, first)]) {
      if (result.failures[mover.name] !== undefined) continue;
      say(`${filling.gigabytes} GB, round ${round}, ${mover.name}`);
      try {
        const run = await runOnce(mover, round, filling, options);
        result.runs.push(run);
        say(`  outage ${run.outage.toFixed(2)} s`);
      } catch (error) {
        signal.throwIfAborted();
        result.failures[mover.name] = error instanceof Error ? error.message : String(error);
        say(`  ${result.failures[mover.name]}`);
      }
    }
  }
  return result;
}

async function runOnce(
  mover: Mover,
  round: number,
  filling: Filling,
  { servers, rate, settle, patience, signal }: OutageOptions,
): Promise<OutageRun> {
  await freshDatabases({ ...servers, signal });
  const writer = new Writer(servers.source, filling, rate);
  try {
    const begin = performance.now();
    runsBegun += 1;
    const following = await mover.follow({ servers, filling, number: runsBegun, patience, signal });
    try {
      const seconds = (performance.now() - begin) / 1_000;
      await pause(settle, undefined, { signal });
      const { acceptedRate, longestPause } = writer;
      const figures = await following.cutOver(writer);
      const outage = await writer.moveTo(
        servers.target,
        AbortSignal.any([signal, AbortSignal.timeout(patience)]),
      );
      await checkTarget(servers);
      return {
        mover: mover.name,
        round,
        following: seconds,
        outage,
        figures,
        rate: acceptedRate,
        longestPause: longestPause / 1_000,
      };
    } finally {
      await following.finish();
    }
  } finally {
    await writer.stop();
  }
}

/** @throws Error where the target is not what the source is: a short outage with rows lost is worth nothing */
async function checkTarget({ source, target }: BenchServers): Promise<void> {
  const [there, here] = await Promise.all(
    [source, target].map((server) => withSession(server, DATABASE, databaseContents)),
  );
  const wrong = differences(there ?? {}, here ?? {});
  if (wrong.length > 0) throw new Error(`the target differs: ${wrong.slice(0, 5).join('; ')}`);
}
