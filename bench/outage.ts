import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { FlexliftMover } from './outage/flexlift-mover';
import type { Mover } from './outage/mover';
import { runOutage, type OutageResult } from './outage/outage-case';
import { PgcopydbMover } from './outage/pgcopydb-mover';
import { growth, outageTable, stepTable } from './outage/report';
import { dropDatabases, fillingOf, fillSource, FILLED } from './outage/schema';
import { withServers, type BenchServers } from './support/bench-servers';
import { pgcopydbPaths } from './support/pgcopydb';
import { withProduct, type Product } from './support/product';
import { withSession } from './support/sessions';

/** `npm run bench:outage`: for how long an application cannot write while its database is cut over. */

interface Options {
  size: number[];
  tables: number;
  only?: string[];
  rounds: number;
  rate: number;
  settle: number;
  patience: number;
  json?: string;
}

const MAJOR = 15;
const SERVERS = {
  source: { major: MAJOR, settings: { wal_level: 'logical' } },
  target: { major: MAJOR, settings: {} },
};
const SIZES = [0.5, 2, 8];

async function main(): Promise<void> {
  const { size, ...rest } = new Command('bench:outage')
    .description('for how long an application cannot write at a cutover, by the size of the data')
    .option('--size <GB>', `of the data; repeatable (default: ${SIZES.join(', ')})`, sizes)
    .option('--tables <n>', 'that the database has besides, of a few rows each', natural, 0)
    .option(
      '--only <mover>',
      'whose name begins so, e.g. flexlift; repeatable',
      (name: string, all: string[] = []) => [...all, name],
    )
    .option('--rounds <n>', 'of each; medians are printed', positive, 1)
    .option('--rate <n>', 'transactions per second', positive, 500)
    .option('--settle <s>', 'that the source is followed before the cutover', natural, 15)
    .option('--patience <s>', 'for a copy and its catching up, and for an end position', positive, 1_200)
    .option('--json <path>', 'also write all figures there')
    .parse()
    .opts<Omit<Options, 'size'> & { size?: number[] }>();
  const options = { ...rest, size: (size ?? SIZES).toSorted((a, b) => a - b) };
  await withServers(SERVERS, (servers, signal) =>
    withProduct(servers.directory, signal, (product) => measure({ servers, product, options, signal })),
  );
}

function sizes(text: string, all: number[] = []): number[] {
  return [...all, positive(text)];
}

function positive(text: string): number {
  const value = natural(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('Give a number above 0.');
}

function natural(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('Give a number.');
}

interface Measurement {
  servers: BenchServers;
  product: Product;
  options: Options;
  signal: AbortSignal;
}

async function measure({ servers, product, options, signal }: Measurement): Promise<void> {
  const { rounds, rate } = options;
  const before = loadavg();
  const movers = await moversOf(product, options.only);
  const results: OutageResult[] = [];
  for (const gigabytes of options.size) {
    const filling = fillingOf(gigabytes, options.tables);
    say(`making ${gigabytes} GB`);
    await fillSource(servers, filling);
    const [settle, patience] = [options.settle * 1_000, options.patience * 1_000];
    results.push(await runOutage(filling, { servers, movers, rounds, rate, settle, patience, signal, say }));
    // what takes an hour may be ended early
    writeFigures(servers, options, [before, loadavg()], results);
    await dropDatabases({ ...servers, signal });
    await withSession(servers.source, 'postgres', (client) => client.query(`DROP DATABASE ${FILLED}`));
  }
  process.stdout.write(`${outageTable(results)}\n${stepTable(results)}\n`);
  for (const [mover, ratio] of Object.entries(growth(results))) {
    process.stdout.write(
      `${mover}: the outage with the most data is ${ratio.toFixed(2)} × that with the least\n`,
    );
  }
  const load = [before, loadavg()].map((averages) => averages.map((value) => value.toFixed(1)).join(' '));
  process.stdout.write(`Load average of the machine before: ${load[0]}, after: ${load[1]}\n`);
  if (results.some(({ failures }) => failures.flexlift !== undefined)) process.exitCode = 1;
}

function writeFigures(
  { source }: BenchServers,
  options: Options,
  load: number[][],
  results: OutageResult[],
): void {
  if (options.json === undefined) return;
  const servers = { version: source.binaries.version, ...SERVERS };
  const figures = { servers, options, load, ratios: growth(results), results };
  writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
}

async function moversOf(product: Product, only?: string[]): Promise<Mover[]> {
  const movers: Mover[] = [new FlexliftMover(product, true), new FlexliftMover(product, false)];
  const paths = pgcopydbPaths();
  if (typeof paths === 'string') say(`pgcopydb is left out: ${paths}`);
  else for (const path of paths) movers.push(await PgcopydbMover.of(path));
  const wanted = movers.filter(({ name }) => only?.some((prefix) => name.startsWith(prefix)) !== false);
  if (wanted.length > 0) return wanted;
  throw new Error(`--only: there are ${movers.map(({ name }) => name).join('; ')}`);
}

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
