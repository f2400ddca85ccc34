import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { collect } from '../cli/options/collect';
import { copyCases, type CopyCase } from './copy/cases';
import type { Cloner } from './copy/cloner';
import { runCopyCase, type CopyResult } from './copy/copy-case';
import { FlexliftCloner } from './copy/flexlift-cloner';
import { FloorCloner } from './copy/floor-cloner';
import { DumpRestoreCloner, PipeCloner } from './copy/pg-tools-cloners';
import { PgcopydbCloner } from './copy/pgcopydb-cloner';
import { copyTable, ratiosOf, verdicts } from './copy/report';
import { withServers, type BenchServers, type ServerPlan } from './support/bench-servers';
import { pgcopydbPaths, pgcopydbVersion } from './support/pgcopydb';
import { withProduct, workerPid, type Product } from './support/product';

/** `npm run bench:copy`: how fast a database is cloned, beside pgcopydb, pg_dump and what nobody beats. */

interface Options {
  rounds: number;
  size: number;
  jobs: number;
  only?: string[];
  cloner?: string[];
  source: number;
  target: number;
  patience: number;
  json?: string;
}

/** A server of this size as its owner would set it up; the rest is as initdb leaves it. */
const SETTINGS = {
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  min_wal_size: '8GB',
  maintenance_work_mem: '256MB',
  // 10,000 tables, locked by a snapshot's holder and by pg_dump
  max_locks_per_transaction: 256,
};

async function main(): Promise<void> {
  const options = new Command('bench:copy')
    .description('how fast a database is cloned, beside pgcopydb, pg_dump and a floor')
    .option('--rounds <n>', 'of each case; medians are printed', whole, 3)
    .option('--size <share>', 'of the full databases, e.g. 0.05 for a quick look', share, 1)
    .option('--jobs <n>', 'that the peers do at a time', whole, 2)
    .option(
      '--only <case>',
      `${copyCases(1)
        .map(({ name }) => name)
        .join(', ')}, or what several begin with; repeatable`,
      collect,
    )
    .option('--cloner <name>', 'whose name begins so, e.g. flexlift; repeatable', collect)
    .option('--source <major>', 'version of the source', whole, 15)
    .option('--target <major>', 'version of the target', whole, 15)
    .option(
      '--patience <seconds>',
      'that a peer may take: then it is stopped and left out of later rounds',
      whole,
      300,
    )
    .option('--json <path>', 'also write all figures there')
    .parse()
    .opts<Options>();
  const cases = chosen(
    copyCases(options.size),
    options.only,
    ({ name }, wanted) => name === wanted || name.startsWith(`${wanted}-`),
  );
  const plan = (major: number): ServerPlan => ({ major, settings: SETTINGS });
  await withServers({ source: plan(options.source), target: plan(options.target) }, (servers, signal) =>
    withProduct(servers.directory, signal, (product) =>
      measure({ servers, product, cases, options, signal }),
    ),
  );
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('Give a whole number above 0.');
}

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError('Give a number above 0 and at most 1.');
}

function chosen<T extends { name: string }>(
  all: T[],
  wanted: string[] | undefined,
  matches: (each: T, wanted: string) => boolean,
): T[] {
  const unknown = wanted?.find((name) => !all.some((each) => matches(each, name)));
  if (unknown !== undefined)
    throw new Error(`there is no ${unknown}: there are ${all.map(({ name }) => name).join('; ')}`);
  return all.filter((each) => wanted?.some((name) => matches(each, name)) !== false);
}

interface Measurement {
  servers: BenchServers;
  product: Product;
  cases: CopyCase[];
  options: Options;
  signal: AbortSignal;
}

async function measure({ servers, product, cases, options, signal }: Measurement): Promise<void> {
  const before = loadavg();
  const cloners = chosen(await clonersOf(product), options.cloner, ({ name }, wanted) =>
    name.startsWith(wanted),
  );
  say(
    `PostgreSQL ${servers.source.binaries.version} → ${servers.target.binaries.version}, ` +
      `${Object.entries(SETTINGS)
        .map(([name, value]) => `${name}=${value}`)
        .join(', ')}; peers with ${options.jobs} jobs`,
  );
  const results: CopyResult[] = [];
  const { rounds, jobs, patience } = options;
  for (const copyCase of cases) {
    results.push(
      await runCopyCase(copyCase, {
        ...{ servers, cloners, rounds, jobs, patience, signal, say },
        workerPid: () => pidOfWorker(product),
      }),
    );
    writeFigures(servers, options, [before, loadavg()], results, cloners);
  }
  const load = [before, loadavg()].map((averages) => averages.map((value) => value.toFixed(1)).join(' '));
  process.stdout.write(
    [
      copyTable(results, cloners),
      ...verdicts(results, cloners),
      `Load average of the machine before: ${load[0]}, after: ${load[1]}`,
      '',
    ].join('\n'),
  );
  if (results.some(({ failures }) => Object.keys(failures).some((name) => name.startsWith('flexlift')))) {
    process.exitCode = 1;
  }
}

function pidOfWorker(product: Product): number {
  const pid = workerPid(product);
  if (pid === undefined) throw new Error('the worker is gone');
  return pid;
}

async function clonersOf(product: Product): Promise<Cloner[]> {
  const cloners: Cloner[] = [new FlexliftCloner(product, false), new FlexliftCloner(product, true)];
  const paths = pgcopydbPaths();
  if (typeof paths === 'string') say(`pgcopydb is left out: ${paths}`);
  else for (const path of paths) cloners.push(await pgcopydbOf(path));
  return [...cloners, new DumpRestoreCloner(), new PipeCloner(), new FloorCloner()];
}

/** Binary COPY is an option from 0.18 on. */
async function pgcopydbOf(path: string): Promise<Cloner> {
  const { name, minor } = await pgcopydbVersion(path);
  return new PgcopydbCloner(path, name, minor >= 18 ? '--use-copy-binary' : '');
}

function writeFigures(
  { source, target }: BenchServers,
  options: Options,
  load: number[][],
  results: CopyResult[],
  cloners: Cloner[],
): void {
  if (options.json === undefined) return;
  const servers = { source: source.binaries.version, target: target.binaries.version, settings: SETTINGS };
  const figures = results.map((result) => ({ ...result, ratios: ratiosOf(result, cloners) }));
  writeFileSync(options.json, `${JSON.stringify({ servers, options, load, results: figures }, null, 2)}\n`);
}

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
