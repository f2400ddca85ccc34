import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { killAllOf, Pgcopydb, pgcopydbPaths } from '../support/pgcopydb';
import { poll, uriOf, withSession } from '../support/sessions';
import { COPIED, DATABASE, type Bed } from './bed';
import type { Engine, EngineRun } from './engine';
import { dropSlot } from './slots';

/** Its fast and safe way; the plugin has to be chosen once and for all. */
const PLUGIN = ['--plugin', 'test_decoding'];
/** Milliseconds. */
const AT_ITS_END = 2_000;

/** The engine, or why there is none. */
export function pgcopydbOfEnvironment(environment?: NodeJS.ProcessEnv): PgcopydbEngine | string {
  const paths = pgcopydbPaths(environment);
  return typeof paths === 'string' ? paths : new PgcopydbEngine(paths[0] ?? '');
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
    const program = this.program(bed);
    await program.run(['stream', 'sentinel', 'set', 'apply', ...where], bed.signal);
    let child: ChildProcess | undefined;
    let fail: (error: Error) => void = () => undefined;
    const failure = new Promise<never>((_, reject) => (fail = reject));
    failure.catch(() => undefined);
    return {
      go: () => {
        const how = ['--resume', '--not-consistent', '--endpos', bed.endLsn];
        child = program.start(['follow', ...how, ...this.arguments(bed, round)]);
        child.on('exit', (code, signal) => {
          const error = new Error(`pgcopydb ended: ${signal ?? `code ${code}`}; ${program.lastWords()}`);
          // at its end position it ends by itself, a little before the last row is looked for
          setTimeout(() => fail(error), code === 0 ? AT_ITS_END : 0);
        });
        return Promise.resolve();
      },
      failure,
      finish: async () => {
        if (child !== undefined) await killAllOf(child);
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
    const program = this.program(bed);
    const snapshot = program.start(['snapshot', '--follow', ...from, ...dir]);
    try {
      await withSession(source, 'postgres', (client) =>
        poll(100, bed.signal, async () => {
          if (snapshot.exitCode !== null) throw new Error(`pgcopydb snapshot: ${program.lastWords()}`);
          const { rowCount } = await client.query(
            'SELECT FROM pg_replication_slots WHERE slot_name = $1 AND confirmed_flush_lsn IS NOT NULL',
            [slot],
          );
          return rowCount === 1 && existsSync(join(this.directory(bed, round), 'snapshot'))
            ? true
            : undefined;
        }),
      );
      await program.run(['stream', 'setup', ...this.arguments(bed, round)], bed.signal);
    } finally {
      await killAllOf(snapshot);
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

  private program({ servers }: Bed): Pgcopydb {
    return new Pgcopydb(this.path, join(servers.directory, 'pgcopydb.log'));
  }
}

function slotOf(round: number): string {
  return `bench_pgcopydb_${round}`;
}
