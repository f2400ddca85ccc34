import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchServers } from '../support/bench-servers';
import { withSession, type ServerAddress } from '../support/sessions';
import { withSlowLink } from '../support/slow-link';
import { databaseContents, differences } from '../support/table-contents';
import type { CopyCase, Links } from './cases';
import { DATABASE, type Cloner, type CloneRun } from './cloner';
import { cpuSecondsOf, peakBytesOf, resetPeakBytesOf } from './cpu';

export interface CloneFigures {
  cloner: string;
  round: number;
  seconds: number;
  /** CPU time of both servers. */
  serverCpu: number;
  /** Of our worker, and what was resident of it at its peak; absent for a peer. */
  workerCpu?: number;
  workerPeakBytes?: number;
}

export interface CopyResult {
  case: Omit<CopyCase, 'fill'>;
  /** Of the database on the source. */
  bytes: number;
  runs: CloneFigures[];
  /** One sentence per cloner that came to no result. */
  failures: Record<string, string>;
}

export interface CopyOptions {
  servers: BenchServers;
  cloners: Cloner[];
  rounds: number;
  jobs: number;
  /** Seconds that a peer may take. */
  patience: number;
  /** Of our worker. */
  workerPid: () => number;
  signal: AbortSignal;
  say: (line: string) => void;
}

let runsBegun = 0;

/** The cloners take turns, and another one begins each round. */
export async function runCopyCase(copyCase: CopyCase, options: CopyOptions): Promise<CopyResult> {
  const { servers, cloners, rounds, signal, say } = options;
  const { fill, ...described } = copyCase;
  say(`${copyCase.title}: filling the source`);
  const { bytes, contents } = await fillSource(servers, fill);
  const result: CopyResult = { case: described, bytes, runs: [], failures: {} };
  const taking = cloners.filter(
    ({ kind }) =>
      kind === 'ours' || (kind === 'floor' ? copyCase.floorRatio !== undefined : copyCase.curve !== true),
  );
  await warmUp(taking[0], { ...described, contents, links: undefined }, options);
  for (let round = 1; round <= rounds; round += 1) {
    const first = (round - 1) % taking.length;
    for (const cloner of [...taking.slice(first), ...taking.slice(0, first)]) {
      if (result.failures[cloner.name] !== undefined) continue;
      try {
        const run = await runOnce(cloner, round, { ...described, contents }, options);
        result.runs.push(run);
        say(`  round ${round}, ${cloner.name}: ${run.seconds.toFixed(1)} s`);
      } catch (error) {
        signal.throwIfAborted();
        result.failures[cloner.name] = error instanceof Error ? error.message : String(error);
        say(`  round ${round}, ${cloner.name}: ${result.failures[cloner.name]}`);
      }
    }
  }
  await dropDatabases(servers.target);
  await dropDatabases(servers.source);
  return result;
}

/** A server's first gigabytes of WAL are files that it makes; what comes later writes them anew, which is faster. */
async function warmUp(cloner: Cloner | undefined, wanted: Wanted, options: CopyOptions): Promise<void> {
  if (cloner === undefined || runsBegun > 0) return;
  options.say('  a run before the first, which does not count');
  try {
    await runOnce(cloner, 0, wanted, options);
  } catch (error) {
    options.signal.throwIfAborted();
    options.say(`  it failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Contents = Record<string, string>;

interface Wanted extends Pick<CopyCase, 'links' | 'manyFiles'> {
  contents: Contents;
}

async function fillSource(
  { source }: BenchServers,
  fill: CopyCase['fill'],
): Promise<{ bytes: number; contents: Contents }> {
  await dropDatabases(source);
  await withSession(source, 'postgres', (client) => client.query(`CREATE DATABASE ${DATABASE}`));
  return await withSession(source, DATABASE, async (client) => {
    await fill(client);
    await client.query('VACUUM ANALYZE');
    // also reads all of it once, so that the first run finds it as the others do
    const contents = await databaseContents(client);
    const { rows } = await client.query<{ bytes: string }>(
      'SELECT pg_database_size(current_database()) AS bytes',
    );
    return { bytes: Number(rows[0]?.bytes), contents };
  });
}

async function runOnce(
  cloner: Cloner,
  round: number,
  { contents: expected, links, manyFiles = false }: Wanted,
  { servers, jobs, patience, workerPid, say, signal }: CopyOptions,
): Promise<CloneFigures> {
  runsBegun += 1;
  const directory = join(servers.directory, `run-${runsBegun}`);
  mkdirSync(directory);
  try {
    await freshTarget(servers, cloner, manyFiles);
    resetPeakBytesOf(workerPid());
    const before = cpuOf(servers, workerPid());
    const begin = performance.now();
    await withPatience(patience, signal, (limited) =>
      withLinks(servers, links, (linked) =>
        cloner.clone({ servers: linked, number: runsBegun, jobs, directory, say, signal: limited }),
      ),
    );
    const seconds = (performance.now() - begin) / 1_000;
    const after = cpuOf(servers, workerPid());
    const found = await withSession(servers.target, DATABASE, databaseContents);
    const wrong = differences(expected, found);
    if (wrong.length > 0) throw new Error(`the target differs: ${wrong.slice(0, 5).join('; ')}`);
    const ours =
      cloner.kind === 'ours'
        ? { workerCpu: after.worker - before.worker, workerPeakBytes: peakBytesOf(workerPid()) }
        : {};
    return { cloner: cloner.name, round, seconds, serverCpu: after.servers - before.servers, ...ours };
  } finally {
    // with the servers' own, at the end
    if (!manyFiles) rmSync(directory, { recursive: true, force: true });
  }
}

/** @throws Error that says so, where the work heeds its signal and takes longer */
async function withPatience(
  seconds: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const impatience = AbortSignal.timeout(seconds * 1_000);
  try {
    await work(AbortSignal.any([signal, impatience]));
  } catch (error) {
    if (error === impatience.reason) throw new Error(`stopped after ${seconds} s`, { cause: error });
    throw error;
  }
}

async function withLinks(
  { source, target }: BenchServers,
  links: Links | undefined,
  work: (servers: CloneRun['servers']) => Promise<void>,
): Promise<void> {
  const through = (
    server: ServerAddress,
    delay: number | undefined,
    use: (address: ServerAddress) => Promise<void>,
  ) => (delay === undefined ? use(server) : withSlowLink(server, delay, use));
  await through(source, links?.source, (from) =>
    through(target, links?.target, (to) => work({ source: from, target: to })),
  );
}

/** No database for us, who make it; an empty one for the others, as they want it. */
async function freshTarget(
  { source, target }: BenchServers,
  { kind }: Cloner,
  manyFiles: boolean,
): Promise<void> {
  await (manyFiles ? putAside(target) : dropDatabases(target));
  await withSession(target, 'postgres', async (client) => {
    if (kind !== 'ours') await client.query(`CREATE DATABASE ${DATABASE}`);
    await client.query('CHECKPOINT');
  });
  await withSession(source, 'postgres', (client) => client.query('CHECKPOINT'));
}

/**
 * ext4 passes over each inode that was freed within the last minutes when it looks for a free one (`recently_deleted` of
 * its ialloc.c): after a database of 40,000 files was dropped, the next clone took twice as long.
 */
async function putAside(server: BenchServers['target']): Promise<void> {
  await withSession(server, 'postgres', async (client) => {
    const found = await client.query(
      `SELECT pg_terminate_backend(a.pid) FROM pg_database d
         LEFT JOIN pg_stat_activity a ON a.datid = d.oid AND a.backend_type = 'client backend'
        WHERE d.datname = $1`,
      [DATABASE],
    );
    if (found.rows.length > 0) {
      await client.query(`ALTER DATABASE ${DATABASE} RENAME TO ${DATABASE}_before_${runsBegun}`);
    }
  });
}

/** Those put aside, too. */
async function dropDatabases(server: BenchServers['source']): Promise<void> {
  await withSession(server, 'postgres', async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
      [DATABASE],
    );
    for (const { name } of rows) await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
  });
}

function cpuOf({ directory }: BenchServers, worker: number): { servers: number; worker: number } {
  const servers = (['source', 'target'] as const).reduce((sum, side) => {
    const file = join(directory, side, 'data', 'postmaster.pid');
    return sum + cpuSecondsOf(Number(readFileSync(file, 'utf8').split('\n')[0]));
  }, 0);
  return { servers, worker: cpuSecondsOf(worker) };
}
