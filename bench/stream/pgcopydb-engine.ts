import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { runProgram } from '../support/programs';
import { poll, uriOf, withSession } from '../support/sessions';
import { COPIED, DATABASE, type Bed } from './bed';
import type { Engine, EngineRun } from './engine';
import { dropSlot } from './slots';

const VARIABLE = 'FLEXLIFT_PGCOPYDB';
/** Its fast and safe way; the plugin has to be chosen once and for all. */
const PLUGIN = ['--plugin', 'test_decoding'];
/** Milliseconds. */
const AT_ITS_END = 2_000;

/** The engine, or why there is none. */
export function pgcopydbOfEnvironment(environment: NodeJS.ProcessEnv = process.env): PgcopydbEngine | string {
  const path = environment[VARIABLE];
  if (path === undefined || path === '') return `${VARIABLE} names no pgcopydb 0.17`;
  if (!existsSync(path)) return `${VARIABLE}: there is no ${path}`;
  return new PgcopydbEngine(path);
}

/** `pgcopydb follow` of 0.17, with a work directory, slot and origin per round. */
export class PgcopydbEngine implements Engine {
  readonly name = 'pgcopydb';

  constructor(private readonly path: string) {}

  async prepare(bed: Bed, rounds: number): Promise<void> {
    for (let round = 1; round <= rounds; round += 1) await this.prepareRound(bed, round);
  }

  async ready(bed: Bed, round: number): Promise<EngineRun> {
    await bed.freshTarget(COPIED);
    const { source } = bed.servers;
    const where = ['--source', uriOf(source, DATABASE), '--dir', this.directory(bed, round)];
    await this.run(bed, ['stream', 'sentinel', 'set', 'apply', ...where]);
    let child: ChildProcess | undefined;
    let fail: (error: Error) => void = () => undefined;
    const failure = new Promise<never>((_, reject) => (fail = reject));
    failure.catch(() => undefined);
    return {
      go: () => {
        const how = ['--resume', '--not-consistent', '--endpos', bed.endLsn];
        child = this.start(bed, ['follow', ...how, ...this.arguments(bed, round)]);
        child.on('exit', (code, signal) => {
          const error = new Error(`pgcopydb ended: ${signal ?? `code ${code}`}; ${this.lastWords(bed)}`);
          // at its end position it ends by itself, a little before the last row is looked for
          setTimeout(() => fail(error), code === 0 ? AT_ITS_END : 0);
        });
        return Promise.resolve();
      },
      failure,
      finish: async () => {
        if (child !== undefined) await killGroup(child);
        await dropSlot(bed, slotOf(round));
        return {};
      },
    };
  }

  /** Its snapshot's process makes the slot, and has nothing more to do here: the tables are copied already. */
  private async prepareRound(bed: Bed, round: number): Promise<void> {
    const { source, target } = bed.servers;
    const slot = slotOf(round);
    const dir = ['--dir', this.directory(bed, round)];
    const from = ['--source', uriOf(source, DATABASE), ...PLUGIN, '--slot-name', slot];
    // of another case
    await withSession(target, 'postgres', (client) =>
      client.query('SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname = $1', [
        slot,
      ]),
    );
    await bed.freshTarget(COPIED);
    const snapshot = this.start(bed, ['snapshot', '--follow', ...from, ...dir]);
    try {
      await withSession(source, 'postgres', (client) =>
        poll(100, bed.signal, async () => {
          if (snapshot.exitCode !== null) throw new Error(`pgcopydb snapshot: ${this.lastWords(bed)}`);
          const { rowCount } = await client.query(
            'SELECT FROM pg_replication_slots WHERE slot_name = $1 AND confirmed_flush_lsn IS NOT NULL',
            [slot],
          );
          return rowCount === 1 && existsSync(join(this.directory(bed, round), 'snapshot'))
            ? true
            : undefined;
        }),
      );
      await this.run(bed, ['stream', 'setup', ...this.arguments(bed, round)]);
    } finally {
      await killGroup(snapshot);
    }
  }

  private arguments(bed: Bed, round: number): string[] {
    const { source, target } = bed.servers;
    return [
      ...['--source', uriOf(source, DATABASE), '--target', uriOf(target, DATABASE), ...PLUGIN],
      ...['--slot-name', slotOf(round), '--origin', slotOf(round), '--dir', this.directory(bed, round)],
    ];
  }

  private directory({ servers, number }: Bed, round: number): string {
    return join(servers.directory, `pgcopydb-${number}-${round}`);
  }

  private log({ servers }: Bed): string {
    return join(servers.directory, 'pgcopydb.log');
  }

  /** The log itself is gone when one reads of the failure. */
  private lastWords(bed: Bed): string {
    const lines = readFileSync(this.log(bed), 'utf8').trim().split('\n');
    return (lines.findLast((line) => line.includes(' ERROR ')) ?? lines.at(-1) ?? '').replace(/\s+/g, ' ');
  }

  private async run(bed: Bed, args: string[]): Promise<void> {
    await runProgram(this.path, args, { signal: bed.signal });
  }

  /** In a process group of its own: its children outlive it otherwise. */
  private start(bed: Bed, args: string[]): ChildProcess {
    const child = spawn(this.path, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(this.log(bed), { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    return child;
  }
}

function slotOf(round: number): string {
  return `bench_pgcopydb_${round}`;
}

async function killGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // all of it has ended
  }
  await ended;
}
