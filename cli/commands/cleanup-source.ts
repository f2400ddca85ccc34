import { readFile } from 'node:fs/promises';
import Table from 'cli-table3';
import { FlexliftError } from '../../contract';
import { resolveServer, type ClearAddress } from '../../client';
import { serverName, type Endpoint } from '../../postgres/connect';
import { liftFence } from '../../postgres/fence';
import { findLeftovers, takeAwaySourceObjects, type Leftover } from '../../postgres/replicate/source';
import { confirmDestruction } from '../confirm';
import { EXIT, UsageError, type ExitCode } from '../exit-code';
import { formatName, formatNumberOf } from '../format';
import { serverOptions } from '../options/migration-options';
import type { Output } from '../output';
import { BARE } from '../report/report-text';
import { withInterrupt } from '../session';
import type { CleanupFlags } from './cleanup';
import { warnOfPassword } from './start';

/** Milliseconds. */
const CONNECT_TIMEOUT = 15_000;

interface Removal {
  database: string;
  removed: string[];
  /** What kept from the rest. */
  failure?: FlexliftError;
}

/** Lists all that is ours on a source and takes it away, with nothing but the source. */
export async function cleanUpSource(flags: CleanupFlags, output: Output): Promise<ExitCode> {
  const source = await endpointOf(flags);
  warnOfPassword(output);
  return await withInterrupt(async (signal) => {
    const found = await findLeftovers({ source, databases: flags.database, signal });
    const used = flags.force === true ? [] : found.filter(({ usedBy }) => usedBy !== undefined);
    const free = found.filter((object) => !used.includes(object));
    if (!output.json && found.length > 0) output.data(listText(found));
    if (free.length > 0) {
      const what = `takes ${formatNumberOf(free.length, 'object')} away from ${serverName(source.address)}`;
      await confirmDestruction('cleanup', what, flags.yes);
    }
    const removals = await removeAll(source, free, signal);
    report(found, removals, output);
    const failed = removals.find(({ failure }) => failure !== undefined);
    if (failed?.failure !== undefined) throw failed.failure;
    if (used.length > 0) throw inUse(used);
    return EXIT.done;
  });
}

/** One failure does not keep the rest. */
async function removeAll(source: Endpoint, objects: Leftover[], signal: AbortSignal): Promise<Removal[]> {
  const places = new Map(
    objects.map(({ database, migrationId }) => [
      JSON.stringify([database, migrationId]),
      { database, migrationId },
    ]),
  );
  const removals: Removal[] = [];
  for (const { database, migrationId } of places.values()) {
    try {
      const removed = await takeAwaySourceObjects({
        ...{ source, database, migrationId, signal },
        liftFence: (client) => liftFence(client, { migrationId }),
      });
      removals.push({ database, removed });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof FlexliftError)) throw error;
      removals.push({ database, removed: [], failure: error });
    }
  }
  return removals;
}

function report(objects: Leftover[], removals: Removal[], output: Output): void {
  if (output.json) {
    const removed = removals.map(({ failure, ...removal }) => ({ ...removal, failure: failure?.fields }));
    output.data(JSON.stringify({ version: 1, objects, removed }, null, 2));
    return;
  }
  const count = removals.reduce((sum, { removed }) => sum + removed.length, 0);
  output.say(
    objects.length === 0
      ? 'Nothing is there.'
      : `Taken away from the source: ${formatNumberOf(count, 'object')}.`,
  );
}

function listText(objects: Leftover[]): string {
  const table = new Table({
    head: ['Database', 'Migration', 'What', 'Name', 'In use'],
    style: { head: [], border: [], compact: true },
    chars: BARE,
  });
  for (const { database, migrationId, kind, name, usedBy } of objects) {
    table.push([formatName(database), migrationId, kind, formatName(name), usedBy ?? 'no']);
  }
  return table.toString();
}

function inUse(used: Leftover[]): UsageError {
  const migrations = [...new Set(used.map(({ migrationId }) => migrationId))].join(', ');
  return new UsageError(
    `${formatNumberOf(used.length, 'object')} stayed, for migration ${migrations} is at work: ${used[0]?.usedBy}. ` +
      'Cancel it, which cleans up: flexlift cancel. Or, where nothing else helps, add --force: it cannot go on then.',
  );
}

async function endpointOf(flags: CleanupFlags): Promise<Endpoint> {
  const options = serverOptions('source', flags, { embeddedWorker: true, environment: process.env });
  const address = resolveServer(options, 'source');
  const password = await passwordOf(address);
  return {
    side: 'source',
    address: { ...address, password: { kind: 'none' } },
    resolvePassword: () => Promise.resolve(password),
    applicationName: 'flexlift cleanup',
    connectTimeout: CONNECT_TIMEOUT,
  };
}

/** `undefined`: pg itself looks into PGPASSFILE or ~/.pgpass. */
async function passwordOf({ password }: ClearAddress): Promise<string | undefined> {
  if (password.kind === 'clear') return password.text;
  if (password.kind !== 'file') return undefined;
  try {
    return (await readFile(password.path, 'utf8')).split(/\r?\n/, 1)[0];
  } catch {
    throw new UsageError(
      `--source-password-file: ${password.path} cannot be read. Correct it, or give another way.`,
    );
  }
}
