import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import type { ServerSettings } from '../embedded';
import { runBacklog, type BacklogResult } from './stream/backlog-case';
import { backlogCases } from './stream/backlogs';
import type { Engine } from './stream/engine';
import { FlexliftEngine } from './stream/flexlift-engine';
import { NativeEngine } from './stream/native-engine';
import { PgcopydbEngine, pgcopydbOfEnvironment } from './stream/pgcopydb-engine';
import { backlogTable, ratioOf, steadyTable } from './stream/report';
import { runSteadyLoad, type SteadyResult } from './stream/steady-load';
import { withServers, type BenchServers } from './support/bench-servers';

/** `npm run bench:stream`: replication beside PostgreSQL's own subscription and pgcopydb. */

interface Options {
  rounds: number;
  size: number;
  only?: string[];
  seconds: number;
  json?: string;
  profile?: string;
}

const MAJOR = 15;
const SERVERS = {
  source: {
    major: MAJOR,
    settings: { wal_level: 'logical', max_replication_slots: 20, max_wal_senders: 20 },
  },
  // else a subscription that is enabled may wait for its worker for up to 5 s, which is not what is measured
  target: { major: MAJOR, settings: { wal_retrieve_retry_interval: '10ms' } },
};
const STEADY = 'steady';
const RATES = [{ rate: 500, targetP99: 1_000 }, { rate: 2_000 }];

async function main(): Promise<void> {
  const options = new Command('bench:stream')
    .description('how fast changes are applied, beside PostgreSQL’s own subscription and pgcopydb 0.17')
    .option('--rounds <n>', 'of each backlog; medians are printed', positive, 3)
    .option('--size <share>', 'of the full backlogs, e.g. 0.05 for a quick look', positive, 1)
    .option('--only <case>', `${names().join(', ')}; repeatable`, (name: string, all: string[] = []) => [
      ...all,
      name,
    ])
    .option('--seconds <n>', 'that a steady load lasts', positive, 30)
    .option('--json <path>', 'also write all figures there')
    .option('--profile <directory>', 'leave CPU profiles of our applier there')
    .parse()
    .opts<Options>();
  const unknown = options.only?.find((name) => !names().includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${names().join(', ')}`);
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  await withServers(SERVERS, (servers, signal) => measure(servers, options, signal));
}

function names(): string[] {
  return [...backlogCases(1).map(({ name }) => name), STEADY];
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('Give a number above 0.');
}

async function measure(servers: BenchServers, options: Options, signal: AbortSignal): Promise<void> {
  const { rounds, size, only, seconds, json } = options;
  const isWanted = (name: string) => only === undefined || only.includes(name);
  const before = loadavg();
  say(describeServers(servers));
  const backlogs: BacklogResult[] = [];
  const steady: SteadyResult[] = [];
  for (const theCase of backlogCases(size).filter(({ name }) => isWanted(name))) {
    const engines = engineList(options);
    backlogs.push(await runBacklog(theCase, { servers, engines, rounds, signal, say }));
  }
  for (const { rate, targetP99 } of isWanted(STEADY) ? RATES : []) {
    for (const engine of [new NativeEngine(), new FlexliftEngine(options.profile)]) {
      say(`${rate} transactions per second for ${seconds} s, ${engine.name}`);
      steady.push(await runSteadyLoad({ servers, engine, rate, seconds, targetP99, signal }));
    }
  }
  if (backlogs.length > 0) process.stdout.write(`${backlogTable(backlogs)}\n`);
  if (steady.length > 0) process.stdout.write(`${steadyTable(steady)}\n`);
  const load = [before, loadavg()].map((averages) => averages.map((value) => value.toFixed(1)).join(' '));
  process.stdout.write(`Load average of the machine before: ${load[0]}, after: ${load[1]}\n`);
  const ratios = Object.fromEntries(backlogs.map((result) => [result.name, ratioOf(result, 'flexlift')]));
  const report = { servers: describeServers(servers), options, load, ratios, backlogs, steady };
  if (backlogs.some(({ failures }) => Object.keys(failures).length > 0)) process.exitCode = 1;
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
}

/** What the figures were measured with. */
function describeServers({ source }: BenchServers): string {
  const list = (settings: ServerSettings) =>
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ');
  return (
    `PostgreSQL ${source.binaries.version} on both sides, settings as initdb leaves them (fsync on) but for ` +
    `${list(SERVERS.source.settings)} (source) and ${list(SERVERS.target.settings)} (target)`
  );
}

function engineList({ profile }: Options): Engine[] {
  const pgcopydb = pgcopydbOfEnvironment();
  if (typeof pgcopydb === 'string') say(`pgcopydb is left out: ${pgcopydb}`);
  return [
    new NativeEngine(),
    new FlexliftEngine(profile),
    ...(pgcopydb instanceof PgcopydbEngine ? [pgcopydb] : []),
  ];
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
