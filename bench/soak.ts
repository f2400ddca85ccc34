import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { Chaos } from './soak/chaos';
import { Confirmations } from './soak/confirmations';
import { Figures } from './soak/figures';
import { MigratedServer } from './soak/migrated';
import { DATABASE, SCHEMA } from './soak/schema';
import { findFaults } from './soak/verdict';
import { Writers } from './soak/writers';
import { withServers, type BenchServers } from './support/bench-servers';
import { withProduct } from './support/product';
import { withSession } from './support/sessions';

/** `npm run soak`: an online migration under random writes while its worker is killed and its servers are restarted. */

interface Options {
  minutes: number;
  source: number;
  target: number;
  writers: number;
  interval: number;
}

/** Milliseconds. */
const BETWEEN_FIGURES = 60_000;

async function main(): Promise<void> {
  const options = new Command('soak')
    .description('an online migration for a long time, under random writes, crashes and restarts')
    .option('--minutes <n>', 'until the cutover', positive, 30)
    .option('--source <major>', 'PostgreSQL', positive, 15)
    .option('--target <major>', 'PostgreSQL', positive, 17)
    .option('--writers <n>', 'sessions', positive, 6)
    .option('--interval <ms>', 'between two transactions of a session, on average', positive, 20)
    .parse()
    .opts<Options>();
  const plan = {
    source: { major: options.source, settings: { wal_level: 'logical' } },
    target: { major: options.target, settings: {} },
  };
  const faults = await withServers(plan, (servers, signal) => soak(servers, options, signal));
  for (const fault of faults) say(`FAULT: ${fault}`);
  say(faults.length === 0 ? 'PASS' : 'FAIL');
  process.exitCode = faults.length === 0 ? 0 : 1;
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('Give a number above 0.');
}

/** @returns what is wrong, a sentence each */
async function soak(servers: BenchServers, options: Options, signal: AbortSignal): Promise<string[]> {
  const { source, target, directory } = servers;
  say(`PostgreSQL ${source.binaries.version} to ${target.binaries.version} for ${options.minutes} minutes`);
  await withSession(source, 'postgres', (client) => client.query(`CREATE DATABASE ${DATABASE}`));
  await withSession(source, DATABASE, (client) => client.query(SCHEMA));
  const writers = new Writers(source, options.writers, options.interval);
  try {
    return await withProduct(directory, signal, async (product) => {
      const migrated = await MigratedServer.start(product, servers);
      return await throughAllOfIt({ servers, migrated, writers }, options.minutes, signal);
    });
  } finally {
    await writers.stop();
  }
}

interface Soaked {
  servers: BenchServers;
  migrated: MigratedServer;
  writers: Writers;
}

async function throughAllOfIt(
  { servers, migrated, writers }: Soaked,
  minutes: number,
  signal: AbortSignal,
): Promise<string[]> {
  const chaos = new Chaos(servers, migrated.replaceWorker, say);
  const figures = new Figures(migrated, writers, chaos);
  const confirmations = new Confirmations(servers);
  const until = performance.now() + minutes * 60_000;
  try {
    while (performance.now() < until && figures.alarms.size + confirmations.faults.size === 0) {
      const rest = Math.min(BETWEEN_FIGURES, until - performance.now());
      await pause(rest, undefined, { signal });
      say(await figures.line());
    }
  } finally {
    await confirmations.stop();
    await chaos.stop();
  }
  say(`looked at the confirmed position ${confirmations.looks}×`);
  const alarms = [...figures.alarms, ...confirmations.faults];
  if (alarms.length > 0) return alarms;
  const status = await migrated.cutOver(signal, say);
  say(
    `load average ${loadavg()
      .map((value) => value.toFixed(1))
      .join(' ')}; comparing`,
  );
  await writers.stop();
  return await findFaults(servers, status);
}

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

main().catch((error: unknown) => {
  say(`FAIL: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
