import type {
  CancelRequest,
  DatabasesRequest,
  MigrationStatus,
  RecopyRequest,
  ThrottleRequest,
  TidySourceRequest,
} from '../contract';
import { currentSealKey } from '../contract/sealing';
import { findMigration, listMigrations, type MigrationSummary } from './find-migration';
import { isOpen } from './is-open';
import { MigrationHandle, type WatchOptions } from './migration-handle';
import type { MigrationOptions } from './migration-options';
import { wantedMigration } from './migration-request';
import type { MigrationSnapshot } from './migration-snapshot';
import { memoOf } from './run-memo';
import { startMigration } from './start-migration';
import { connectTemporal, type TemporalConnection, type TemporalOptions } from './temporal-connection';
import { inOurWords } from './temporal-failure';
import { tidySource, type TidyOptions } from './tidy-source';
import type { CutoverOptions } from './update-requests';
import { assertPoolServed, assertTakenUp, isWorkerPresent } from './worker-presence';

export interface MigrationClientOptions extends TemporalOptions {
  /** Where the key lies that passwords are sealed with. Default `FLEXLIFT_KEY_DIRECTORY`; `FLEXLIFT_KEY` wins. */
  keyDirectory?: string;
  /** Told when something goes another way than usual, one sentence. */
  onNotice?: (sentence: string) => void;
}

/**
 * Migrations, for programs.
 *
 * ```ts
 * const client = await MigrationClient.connect();
 * const status = await client.migrate({ source: 'postgres://me@old/', target: 'postgres://me@new/' });
 * await client.close();
 * ```
 */
export class MigrationClient {
  private constructor(
    private readonly temporal: TemporalConnection,
    private readonly options: MigrationClientOptions,
  ) {}

  /** @throws FlexliftError TemporalUnreachable */
  static async connect(options: MigrationClientOptions = {}): Promise<MigrationClient> {
    return new MigrationClient(await connectTemporal(options), options);
  }

  /** `host:port` of Temporal. */
  get address(): string {
    return this.temporal.address;
  }

  get namespace(): string {
    return this.temporal.namespace;
  }

  /**
   * Starts a migration and returns. The same name with the same options finds the migration that runs or has
   * succeeded (`handle.run.how`); after a failure or a cancellation it starts the next run, which goes on where the
   * other stopped.
   *
   * @throws RequestError, FlexliftError NoWorker, NameTaken, TemporalUnreachable: nothing was started
   */
  async create(options: MigrationOptions): Promise<MigrationHandle> {
    const wanted = wantedMigration(options);
    return await inOurWords(this.temporal, async () => {
      const run = await startMigration(this.temporal, wanted, {
        key: () => this.sealKey(),
        beforeStart: () => assertPoolServed(this.temporal, wanted.pool),
        onNotice: this.options.onNotice,
      });
      if (run.how === 'started') await assertTakenUp(this.temporal, run, wanted.pool);
      return new MigrationHandle(this.temporal, { ...run, name: wanted.name, pool: wanted.pool });
    });
  }

  /** {@link create}, then waits for the end. */
  async migrate(options: MigrationOptions): Promise<MigrationStatus> {
    return await (await this.create(options)).result();
  }

  /** Newest first. */
  async list(): Promise<MigrationSummary[]> {
    return await inOurWords(this.temporal, () => listMigrations(this.temporal));
  }

  /**
   * The latest run of a migration.
   *
   * @param name its name, or its workflow id where several targets have one of that name
   * @throws FlexliftError MigrationUnknown
   */
  async find(name: string): Promise<MigrationHandle> {
    return await inOurWords(this.temporal, async () => {
      const workflowId = await findMigration(this.temporal, name);
      const description = await this.temporal.client.workflow.getHandle(workflowId).describe();
      const { runId } = description;
      const how = isOpen(description) ? 'running' : 'ended';
      const { name: itsName = name, pool = 'default' } = memoOf(description) ?? {};
      return new MigrationHandle(this.temporal, { name: itsName, pool, workflowId, runId, how });
    });
  }

  /** @throws FlexliftError MigrationUnknown */
  async show(name: string): Promise<MigrationSnapshot> {
    return await (await this.find(name)).snapshot();
  }

  /** @throws FlexliftError MigrationUnknown */
  async *watch(name: string, options: WatchOptions = {}): AsyncGenerator<MigrationSnapshot, void, undefined> {
    yield* (await this.find(name)).watch(options);
  }

  /**
   * Cancels a migration, waits for the end of its clean-up, and returns its status.
   *
   * @throws FlexliftError MigrationUnknown, NoWorker
   */
  async cancel(name: string, request: CancelRequest = {}): Promise<MigrationStatus> {
    const handle = await this.find(name);
    await handle.cancel(request);
    return await handle.result();
  }

  /**
   * Cuts over and waits until every database is released or its cutover called off; see {@link MigrationHandle.cutover}.
   *
   * @throws FlexliftError MigrationUnknown, CutoverRefused, InvalidRequest, NoWorker; RequestError
   */
  async cutover(name: string, options: CutoverOptions = {}): Promise<MigrationStatus> {
    return await (await (await this.find(name)).cutover(options)).result();
  }

  /** Calls cutovers off and waits until the source takes writes again; see {@link MigrationHandle.abortCutover}. */
  async abortCutover(name: string, request: DatabasesRequest = {}): Promise<MigrationStatus> {
    return await (await (await this.find(name)).abortCutover(request)).result();
  }

  /** Stops the replication for a while; see {@link MigrationHandle.pause}. */
  async pause(name: string, request: DatabasesRequest = {}): Promise<MigrationStatus> {
    return await (await (await this.find(name)).pause(request)).result();
  }

  /** See {@link MigrationHandle.resume}. */
  async resume(name: string, request: DatabasesRequest = {}): Promise<MigrationStatus> {
    return await (await (await this.find(name)).resume(request)).result();
  }

  /** Has a table, or all of a database, copied anew; see {@link MigrationHandle.recopy}. */
  async recopy(name: string, request: RecopyRequest = {}): Promise<MigrationStatus> {
    return await (await (await this.find(name)).recopy(request)).result();
  }

  /** Changes how much the source may be asked for; see {@link MigrationHandle.throttle}. */
  async throttle(name: string, request: ThrottleRequest): Promise<MigrationStatus> {
    return await (await (await this.find(name)).throttle(request)).result();
  }

  /** Says that the source's schema was changed on purpose; see {@link MigrationHandle.acceptDrift}. */
  async acceptDrift(name: string, request: DatabasesRequest = {}): Promise<MigrationStatus> {
    return await (await (await this.find(name)).acceptDrift(request)).result();
  }

  /**
   * Takes away what an ended migration has left on its source: `fence`, so that the old server takes writes again, or
   * `all` that it made there. Gives what was removed, for a person.
   *
   * @throws FlexliftError MigrationUnknown, InvalidRequest where it still runs, NoWorker
   */
  async tidy(name: string, what: TidySourceRequest['what'], options: TidyOptions = {}): Promise<string[]> {
    const { workflowId, run } = await this.find(name);
    return await inOurWords(this.temporal, () =>
      tidySource(
        this.temporal,
        this.temporal.client.workflow.getHandle(workflowId, run.runId),
        what,
        options,
      ),
    );
  }

  /**
   * Whether the process of that number on this machine serves a pool. One that was killed a minute ago may still count.
   */
  async isWorkerPresent(pool: string, pid: number): Promise<boolean> {
    return await inOurWords(this.temporal, () => isWorkerPresent(this.temporal, pool, pid));
  }

  async close(): Promise<void> {
    await this.temporal.close();
  }

  private async sealKey(): Promise<Buffer> {
    const directory = this.options.keyDirectory ?? process.env.FLEXLIFT_KEY_DIRECTORY;
    return await currentSealKey({ directory, environment: process.env });
  }
}
