import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import type { BenchServers } from '../support/bench-servers';
import { killAllOf, Pgcopydb, pgcopydbVersion } from '../support/pgcopydb';
import { poll, uriOf, withSession } from '../support/sessions';
import type { CutoverFigures, Following, Move, Mover } from './mover';
import { DATABASE } from './schema';
import type { Writer } from './writer';

/** Below 0.18 the plugin by which it is fast and safe; from there on its default. */
const PLUGIN_BEFORE_18 = ['--plugin', 'test_decoding'];
/** As many as the machine that this is for has cores. */
const JOBS = ['--table-jobs', '4', '--index-jobs', '2', '--skip-vacuum'];
/** What it has to apply still is part of its outage. Bytes. */
const MAX_LAG = 16 * 1024 ** 2;
const MEGABYTE = 1024 ** 2;
/** Milliseconds. */
const LOOK_INTERVAL = 500;
const AT_ITS_END = 100;

/**
 * `pgcopydb clone --follow`, and the end of it that its documentation gives: the application stops, the end position is set
 * to where the source stands, the command ends by itself when it has got there.
 * https://pgcopydb.readthedocs.io/en/latest/ref/pgcopydb_follow.html
 */
export class PgcopydbMover implements Mover {
  private constructor(
    private readonly path: string,
    readonly name: string,
    private readonly plugin: string[],
  ) {}

  static async of(path: string): Promise<PgcopydbMover> {
    const { name, minor } = await pgcopydbVersion(path);
    return new PgcopydbMover(path, name, minor < 18 ? PLUGIN_BEFORE_18 : []);
  }

  async follow(move: Move): Promise<Following> {
    const { servers, number } = move;
    const slot = `outage_pgcopydb_${number}`;
    await withSession(servers.target, 'postgres', (client) => client.query(`CREATE DATABASE ${DATABASE}`));
    const program = new Pgcopydb(this.path, join(servers.directory, `pgcopydb-${number}.log`));
    const from = ['--source', uriOf(servers.source, DATABASE)];
    const directory = ['--dir', join(servers.directory, `pgcopydb-${number}`)];
    const child = program.start([
      ...['clone', '--follow', ...from, '--target', uriOf(servers.target, DATABASE), ...directory],
      ...[...this.plugin, '--slot-name', slot, '--origin', slot, ...JOBS],
    ]);
    const run: Run = { program, child, where: [...from, ...directory], slot, move };
    try {
      await untilNear(run);
    } catch (error) {
      await killAllOf(child);
      throw error;
    }
    return {
      cutOver: (writer) => endAtPosition(run, writer),
      finish: () => killAllOf(child),
    };
  }
}

interface Run {
  program: Pgcopydb;
  child: ChildProcess;
  /** The arguments of a command about it. */
  where: string[];
  /** Its slot and its origin. */
  slot: string;
  move: Move;
}

/** @throws Error where it ends instead, or stays behind */
async function untilNear({ program, child, slot, move }: Run): Promise<void> {
  const { servers, patience, signal } = move;
  const deadline = performance.now() + patience;
  let first: string | undefined;
  await poll(LOOK_INTERVAL, signal, async () => {
    if (hasEnded(child)) throw new Error(`it ended early: ${program.lastWords()}`);
    const applied = await appliedLsn(servers, slot);
    first ??= applied;
    // where the origin begins nothing was applied yet: it may still copy
    const lag = applied === undefined || applied === first ? undefined : await lagBytes(servers, applied);
    if (lag !== undefined && lag <= MAX_LAG) return true;
    if (performance.now() < deadline) return undefined;
    const stands =
      lag === undefined ? 'has applied nothing' : `is ${Math.round(lag / MEGABYTE)} MB of WAL behind`;
    throw new Error(`it cannot keep up: after ${Math.round(patience / 1_000)} s it ${stands}`);
  });
}

/** What it has applied is kept with its origin on the target. */
async function appliedLsn({ target }: BenchServers, origin: string): Promise<string | undefined> {
  return await withSession(target, DATABASE, async (client) => {
    const { rows } = await client.query<{ lsn: string }>(
      `SELECT remote_lsn::text AS lsn FROM pg_replication_origin_status WHERE external_id = $1 AND remote_lsn > '0/0'`,
      [origin],
    );
    return rows[0]?.lsn;
  });
}

/** WAL of the source since then. */
async function lagBytes({ source }: BenchServers, lsn: string): Promise<number> {
  return await withSession(source, 'postgres', async (client) => {
    const { rows } = await client.query<{ lag: string }>(
      'SELECT (pg_current_wal_flush_lsn() - $1::pg_lsn)::text AS lag',
      [lsn],
    );
    return Number(rows[0]?.lag);
  });
}

async function endAtPosition({ program, child, where, move }: Run, writer: Writer): Promise<CutoverFigures> {
  const steps: Record<string, number> = {};
  const timed = async (step: string, work: () => Promise<void>) => {
    const begin = performance.now();
    await work();
    steps[step] = (performance.now() - begin) / 1_000;
  };
  await timed('writers stop', () => writer.stop());
  await timed('set endpos', () =>
    program.run(['stream', 'sentinel', 'set', 'endpos', '--current', ...where], move.signal),
  );
  const end = untilEnd(program, child, move);
  await timed('last change applied', () => Promise.race([untilApplied(move), end]));
  await timed('until its end', () => end);
  return { before: {}, steps };
}

/** In the order of their commits, payments tell of the others. */
async function untilApplied({ servers, signal }: Move): Promise<void> {
  const payments = async (client: Client) =>
    (await client.query<{ n: string }>('SELECT count(*) AS n FROM history')).rows[0]?.n;
  const wanted = await withSession(servers.source, DATABASE, payments);
  await withSession(servers.target, DATABASE, (client) =>
    poll(AT_ITS_END, signal, async () => ((await payments(client)) === wanted ? true : undefined)),
  );
}

async function untilEnd(program: Pgcopydb, child: ChildProcess, { patience, signal }: Move): Promise<void> {
  const deadline = performance.now() + patience;
  while (!hasEnded(child)) {
    if (performance.now() > deadline) {
      throw new Error(`it did not end within ${Math.round(patience / 1_000)} s of its end position`);
    }
    await pause(AT_ITS_END, undefined, { signal });
  }
  if (child.exitCode !== 0) throw new Error(`it failed at its end: ${program.lastWords()}`);
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
