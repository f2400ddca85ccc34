import * as fc from 'fast-check';
import { itInAll } from '../support/all';
import { Migrations } from '../support/migration';
import { program } from '../support/random/program';
import { runProgram } from '../support/random/run-program';

/** To repeat a failure: the seed it printed, and how many runs (1 with FLEXLIFT_PATH, the path it printed). */
const seedWanted = process.env['FLEXLIFT_SEED'];
const pathWanted = process.env['FLEXLIFT_PATH'];
const RUNS = Number(process.env['FLEXLIFT_RUNS'] ?? 25);
/** Migrations under way at a time: they wait most of their time. */
const LANES = Math.min(RUNS, Number(process.env['FLEXLIFT_LANES'] ?? 3));
/** Milliseconds for a smaller case to be looked for. */
const SHRINKING = 10 * 60_000;
/** The program is the seed's, how its sessions meet is not: a smaller one that went well is given another chance. */
const CHANCES = 2;

itInAll(
  'a random database under random writes and kills arrives equal',
  async () => {
    const migrations = await Migrations.connect();
    try {
      const first = seedWanted === undefined ? Date.now() % 2 ** 31 : Number(seedWanted);
      const lanes = Array.from({ length: LANES }, (_, lane) => runLane(migrations, first + lane, lane));
      await Promise.allSettled(lanes);
      await Promise.all(lanes);
    } finally {
      await migrations.close();
    }
  },
  RUNS * 5 * 60_000 + SHRINKING,
);

async function runLane(migrations: Migrations, seed: number, lane: number): Promise<void> {
  let hasFailed = false;
  const property = fc.asyncProperty(program, async (candidate) => {
    try {
      for (let chance = 1; chance <= (hasFailed ? CHANCES : 1); chance++)
        await runProgram(migrations, candidate);
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  });
  await fc.assert(property, {
    seed,
    numRuns: Math.ceil((RUNS - lane) / LANES),
    verbose: fc.VerbosityLevel.Verbose,
    endOnFailure: process.env['FLEXLIFT_NO_SHRINK'] === '1',
    ...(pathWanted === undefined ? {} : { path: pathWanted }),
  });
}
