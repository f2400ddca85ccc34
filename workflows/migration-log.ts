import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  MOST_DIFFERENCES,
  SEARCH_ATTRIBUTES,
  type CleanUpResult,
  type DatabaseStatus,
  type FailureFields,
  type MigrationRequest,
  type MigrationState,
  type MigrationStatus,
  type ThrottleRequest,
  type ValidationResult,
} from '../contract';
import { migrationDetails } from './details';

const STATE_ATTRIBUTE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.state, SearchAttributeType.KEYWORD);

/** Over all databases: the result is one payload, of which Temporal takes 2 MB and warns above 256 KB. */
const TABLES_IN_RESULT = 600;

/** Keeps the status of one migration and shows it in the Web UI. */
export class MigrationLog {
  readonly status: MigrationStatus;
  onCutoverBegun: (database: string) => void = () => undefined;
  /** By database: the number of what was told last. */
  private readonly told = new Map<string, number>();

  constructor(private readonly request: MigrationRequest) {
    const { source, target } = request;
    this.status = {
      version: 1,
      migrationId: request.migrationId,
      name: request.name,
      mode: request.mode,
      option: request.option,
      state: 'InProgress',
      source: `${source.host}:${source.port}`,
      target: `${target.host}:${target.port}`,
      startedAt: new Date().toISOString(),
      findings: [],
      throttle: request.throttle,
      databases: [],
    };
    this.show();
  }

  noteThrottle(change: ThrottleRequest): void {
    const { maxRate, maxConnections } = { ...this.status.throttle, ...change };
    this.status.throttle = { maxRate: maxRate ?? undefined, maxConnections: maxConnections ?? undefined };
    this.show();
  }

  validated({ findings, databases, concurrency }: ValidationResult): void {
    this.status.findings = findings;
    this.status.concurrency = concurrency;
    this.status.databases = databases.map((database) => ({
      database,
      state: 'InProgress',
      phase: 'Queued',
      copied: { tables: 0, rows: 0, bytes: 0 },
      seconds: {},
      differences: [],
    }));
    this.show();
  }

  /**
   * @param told the number that the database gave its status: two signals that are under way at a time may come in another
   *   order than they were sent in. Absent: it holds whatever came before
   */
  noteDatabase(status: DatabaseStatus, told?: number): void {
    if (told !== undefined) {
      if (told < (this.told.get(status.database) ?? 0)) return;
      this.told.set(status.database, told);
    }
    const { databases } = this.status;
    const index = databases.findIndex((known) => known.database === status.database);
    // a late signal must not undo the result
    if (index < 0 || (databases[index]?.endedAt !== undefined && status.endedAt === undefined)) return;
    const share = (most: number) => Math.floor(most / databases.length);
    databases[index] = {
      ...databases[index],
      ...status,
      tables: status.tables?.slice(0, share(TABLES_IN_RESULT)),
      differences: status.differences.slice(0, share(MOST_DIFFERENCES)),
    };
    if (status.cutover?.state === 'Running') this.onCutoverBegun(status.database);
    this.noteWaiting();
  }

  /** Its rows are on the target; what follows needs no slot. */
  hasLoaded(database: string): boolean {
    const phase = this.status.databases.find((known) => known.database === database)?.phase;
    return this.status.mode === 'Online' && phase === 'Replicate';
  }

  /** Nothing goes on before a person says so: all that has not ended is ready for its cutover, paused or stopped. */
  private noteWaiting(): void {
    if (this.status.endedAt !== undefined || this.status.state === 'CleaningUp') return this.show();
    const open = this.status.databases.filter(({ endedAt }) => endedAt === undefined);
    const isWaiting = open.length > 0 && open.every(waitsForUser);
    const state = isWaiting ? 'WaitingForUserAction' : 'InProgress';
    if (state === this.status.state) this.show();
    else this.setState(state);
  }

  /** Cancelled, but something of ours may still be there. */
  noteLeft(database: string | undefined, { left, targetLeft }: CleanUpResult): void {
    const status = this.status.databases.find((known) => known.database === database);
    if (status === undefined) return;
    status.notice = targetLeft ?? status.notice;
    if (left === undefined) return;
    status.sourceObjects = left.objects;
    status.cleanUpSql = left.sql;
    this.status.failure ??= left.failure;
  }

  /** The migration is as good as its worst database. */
  summarize(): void {
    const { databases } = this.status;
    const failed = databases.find((database) => database.state === 'Failed');
    if (failed?.failure !== undefined) return this.fail({ database: failed.database, ...failed.failure });
    const unverified = databases.some((database) => database.state === 'SucceededUnverified');
    this.end(unverified ? 'SucceededUnverified' : 'Succeeded');
  }

  cleaningUp(): void {
    this.setState('CleaningUp');
  }

  fail(failure: FailureFields): void {
    this.status.failure = failure;
    this.end('Failed');
  }

  end(state: MigrationState): void {
    const endedAt = new Date().toISOString();
    this.status.endedAt = endedAt;
    // those that were cancelled don't say so themselves, and orders are waited for until they are over
    for (const database of this.status.databases) {
      if (database.endedAt !== undefined) continue;
      Object.assign(database, { state, endedAt });
      if (database.cutover?.state === 'Running') {
        database.cutover = { ...database.cutover, state: 'CalledOff', underWay: [], endedAt };
      }
    }
    this.setState(state);
  }

  private setState(state: MigrationState): void {
    this.status.state = state;
    if (this.request.searchAttributes) upsertSearchAttributes([{ key: STATE_ATTRIBUTE, value: state }]);
    this.show();
  }

  private show(): void {
    setCurrentDetails(migrationDetails(this.status));
  }
}

function waitsForUser({ phase, replication }: DatabaseStatus): boolean {
  return phase === 'Replicate' && replication !== undefined && replication.state !== 'CatchingUp';
}
