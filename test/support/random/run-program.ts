import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { migrationSnapshot } from '../../../client/migration-snapshot';
import {
  PHASES,
  type DatabaseStatus,
  type FailureFields,
  type MigrationStatus,
  type Phase,
} from '../../../contract';
import { eventually } from '../eventually';
import type { MigrationHandle, Migrations } from '../migration';
import { clearSource, cutOver, leftOnSource, onlineRequest } from '../online';
import { ConfirmedPositions } from '../outages';
import { dropTestDatabase, testAddress, withSession, type Major } from '../servers';
import { WorkerProcess } from '../worker-process';
import { contentsOf, differencesOf } from './contents';
import type { Kill, Program } from './program';
import { createRandomSource } from './random-source';
import { RandomSession } from './session';

/** Milliseconds. A snapshot waits for every transaction on its server, a fence for those in the database. */
const PATIENCE = 180_000;
/** Long enough for a machine on which several migrations share a core. */
const TIMEOUTS = { heartbeat: 8_000, validation: 60_000 };
const BETWEEN_LOOKS = 150;
/** The sessions end so long after the load at the latest: some are faster than any applier, or never let a cutover through. */
const WRITES = 25_000;

const FIRST_PHASES: Record<Kill['during'], Phase> = {
  load: 'PrepareSource',
  replication: 'Replicate',
  cutover: 'Prove',
};

/**
 * Migrates a random database online while its sessions write and its worker is killed, and compares both sides.
 *
 * @returns how many transactions were committed meanwhile
 * @throws Error that says what is not as it should be
 */
export async function runProgram(migrations: Migrations, program: Program): Promise<number> {
  const [source, target] = program.majors;
  const { database, tables } = await createRandomSource(source, program.tables, program.keylessTables);
  const role = program.isPlainTarget ? `plain_${randomBytes(4).toString('hex')}` : undefined;
  const run = new Run(migrations, program, database, role);
  const sessions = program.sessions.map((transactions, index) =>
    RandomSession.start({ source, database, tables, transactions, name: `${database} ${index}` }),
  );
  try {
    if (role !== undefined)
      await withSession(target, 'postgres', (client) => client.query(`CREATE ROLE ${role} LOGIN CREATEDB`));
    await run.migrate(sessions);
    const [here, there] = [await contentsOf(source, database), await contentsOf(target, database)];
    const differences = differencesOf(here, there);
    if (differences.length > 0) throw new Error(`The target differs: ${differences.join('\n')}`);
    return sessions.reduce((sum, session) => sum + session.committed, 0);
  } finally {
    await Promise.all(sessions.map((session) => session.stop()));
    await run.end();
    await clearSource(source, database);
    await dropTestDatabase(source, database);
    await dropTestDatabase(target, database);
    if (role !== undefined)
      await withSession(target, 'postgres', (client) => client.query(`DROP ROLE IF EXISTS ${role}`));
  }
}

/** One migration with the worker that serves it. */
class Run {
  private worker: WorkerProcess | undefined;
  private handle: MigrationHandle | undefined;

  constructor(
    private readonly migrations: Migrations,
    private readonly program: Program,
    private readonly database: string,
    private readonly role: string | undefined,
  ) {}

  async migrate(sessions: RandomSession[]): Promise<void> {
    const [source, target] = this.program.majors;
    const request = this.request(source, target);
    const before = await leftOnSource(source, this.database, request.migrationId);
    this.worker = WorkerProcess.start({ pool: request.pool });
    const handle = (this.handle = await this.migrations.start(request));
    const positions = ConfirmedPositions.watch({ request }, { source, target });
    try {
      await this.untilReleased(handle, sessions);
    } finally {
      await positions.stop();
    }
    await positions.expectDurable();
    const status = await handle.result();
    expectSuccess(status);
    const left = await leftOnSource(source, this.database, request.migrationId);
    const surplus = left.filter((each) => !before.includes(each) && !/_fence$|read_only=on$/.test(each));
    const gone = before.filter((each) => !left.includes(each));
    if (surplus.length + gone.length > 0)
      throw new Error(`The source is not as it was: left ${surplus.join()}; gone ${gone.join()}`);
  }

  private async untilReleased(handle: MigrationHandle, sessions: RandomSession[]): Promise<void> {
    for (const kill of this.kills('load')) await this.killAfter(handle, kill);
    for (const kill of this.kills('replication')) await this.killAfter(handle, kill);
    await this.handOver(handle, sessions);
  }

  async end(): Promise<void> {
    await this.handle?.terminate('the test is over').catch(() => undefined);
    await this.worker?.kill();
  }

  private request(source: Major, target: Major) {
    const { keylessTables, limits } = this.program;
    const request = onlineRequest(source, target, this.database, { keylessTables });
    const timeouts = { ...request.timeouts, ...TIMEOUTS };
    const ofPlainUser =
      this.role === undefined
        ? {}
        : { target: { ...testAddress(target), user: this.role }, noOwner: true, noPrivileges: true };
    return { ...request, timeouts, limits: { ...request.limits, ...limits }, ...ofPlainUser };
  }

  private kills(during: Kill['during']): Kill[] {
    return this.program.kills
      .filter((kill) => kill.during === during)
      .toSorted((one, other) => one.after - other.after);
  }

  private async killAfter(handle: MigrationHandle, { during, after }: Kill): Promise<void> {
    const first = PHASES.indexOf(FIRST_PHASES[during]);
    await this.untilStatus(handle, `the ${during}`, ({ phase }) => PHASES.indexOf(phase) >= first);
    await pause(after);
    await this.replaceWorker();
  }

  private async replaceWorker(): Promise<void> {
    await this.worker?.kill();
    this.worker = WorkerProcess.start({ pool: this.handle === undefined ? '' : poolOf(this.handle) });
  }

  /** Cuts over, again where it was refused; anything else that calls it off is a fault. */
  private async handOver(handle: MigrationHandle, sessions: RandomSession[]): Promise<void> {
    const stop = () => Promise.all(sessions.map((session) => session.stop()));
    const end = setTimeout(() => void stop(), WRITES);
    try {
      await this.untilReady(handle);
      await pause(this.program.replicatesFor);
      if (this.program.stopsBeforeCutover) await stop();
      await this.cutOverAgain(handle);
    } finally {
      clearTimeout(end);
    }
  }

  private async cutOverAgain(handle: MigrationHandle): Promise<void> {
    const kills = this.kills('cutover');
    const deadline = Date.now() + PATIENCE;
    while (Date.now() < deadline) {
      await this.untilReady(handle);
      const [outcome] = await Promise.all([this.tryCutOver(handle), this.killAmid(kills.splice(0, 1))]);
      if (outcome === 'released') return;
    }
    throw new Error(`all cutovers of ${PATIENCE} ms were refused`);
  }

  private async untilReady(handle: MigrationHandle): Promise<void> {
    const isReady = ({ phase, replication }: DatabaseStatus) =>
      phase === 'Replicate' && replication?.state === 'ReadyForCutover';
    await this.untilStatus(handle, 'the cutover to be possible', isReady);
  }

  private async killAmid(kills: Kill[]): Promise<void> {
    for (const { after } of kills) {
      await pause(after);
      await this.replaceWorker();
    }
  }

  private async tryCutOver(handle: MigrationHandle): Promise<'released' | 'refused'> {
    try {
      const database = await cutOver(handle, { fence: this.program.fence });
      if (database.cutover?.state === 'Released') return 'released';
      const failure = database.cutover?.failure;
      if (failure?.code === 'CutoverRefused' || isOfLargeObjects(failure)) return 'refused';
      throw new Error(`The cutover was called off: ${JSON.stringify([failure, database.differences])}`);
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) return 'refused';
      throw error;
    }
  }

  private async untilStatus(
    handle: MigrationHandle,
    what: string,
    probe: (database: DatabaseStatus) => boolean,
  ): Promise<void> {
    let last: MigrationStatus | undefined;
    try {
      await eventually(
        what,
        async () => {
          // between two workers nobody answers
          const status = await handle.query<MigrationStatus>('status').catch(() => undefined);
          if (status === undefined) return false;
          last = status;
          const [database] = status.databases;
          const complaints = complaintsOf(status);
          if (complaints.length > 0) throw new Error(complaints.join('\n'));
          return database !== undefined && probe(database);
        },
        { timeout: PATIENCE, interval: BETWEEN_LOOKS },
      );
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      const story = [said, JSON.stringify(last?.databases), ...(await trouble(handle))];
      throw new Error(story.join('\n'), { cause: error });
    }
  }
}

/** What is under way, and what waits for its next try. */
async function trouble(handle: MigrationHandle): Promise<string[]> {
  const { activities, notice } = await migrationSnapshot(handle);
  return [
    ...activities.map((activity) => JSON.stringify(activity)),
    ...(notice === undefined ? [] : [notice]),
  ];
}

function poolOf({ workflowId }: MigrationHandle): string {
  return workflowId.slice(workflowId.lastIndexOf('/') + 1);
}

/** Below 16 a read-only transaction may write them: a session that comes back behind the fence does. */
function isOfLargeObjects(failure: FailureFields | undefined): boolean {
  return failure?.code === 'FenceBroken' && failure.object === 'large objects';
}

function expectSuccess(status: MigrationStatus): void {
  const [database] = status.databases;
  const left = database?.sourceObjects ?? [];
  if (status.state === 'Succeeded' && database?.differences.length === 0 && left.length === 0) return;
  throw new Error(`The migration ended as ${status.state}: ${JSON.stringify(status)}`);
}

/** What must not happen to a migration whose source nobody but its application touches. */
function complaintsOf({ state, endedAt, failure, findings, databases }: MigrationStatus): string[] {
  const failed = findings.filter((finding) => finding.state === 'Failed').map(({ message }) => message);
  const ended = endedAt === undefined ? [] : [`The migration ended as ${state}: ${JSON.stringify(failure)}`];
  return [
    ...(endedAt === undefined ? [] : failed),
    ...ended,
    ...databases.flatMap(({ failure, notice, replication }) => [
      ...[failure, notice, replication?.failure].flatMap((each) =>
        each === undefined ? [] : [each.sentence],
      ),
      ...(replication?.stoppedTables ?? []).map((each) => `${each.table}: ${each.failure.sentence}`),
      ...(replication?.drift ?? []).map(({ message }) => `drift: ${message}`),
    ]),
  ];
}
