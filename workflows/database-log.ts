import { getExternalWorkflowHandle, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { DATABASE_SIGNAL, type DatabaseStatus, type Phase } from '../contract';
import { databaseDetails } from './details';

/** Keeps the status of one database and tells it to the query, the Web UI and the migration above. */
export class DatabaseLog {
  readonly status: DatabaseStatus;
  private phaseStarted = Date.now();

  constructor(database: string) {
    this.status = {
      database,
      state: 'InProgress',
      phase: 'Queued',
      copied: { tables: 0, rows: 0, bytes: 0 },
      seconds: {},
      differences: [],
      startedAt: new Date().toISOString(),
    };
  }

  /** Runs one phase: notes its start, its seconds and tells both. */
  async phase<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    await this.enter(phase);
    const result = await work();
    this.status.seconds[phase] = (Date.now() - this.phaseStarted) / 1000;
    return result;
  }

  async end(change: Partial<DatabaseStatus>): Promise<DatabaseStatus> {
    Object.assign(this.status, change, { endedAt: new Date().toISOString() });
    await this.tell();
    return this.status;
  }

  private async enter(phase: Phase): Promise<void> {
    this.status.phase = phase;
    this.phaseStarted = Date.now();
    await this.tell();
  }

  private async tell(): Promise<void> {
    setCurrentDetails(databaseDetails(this.status));
    const { parent } = workflowInfo();
    // the tables travel once, in the result; a signal carries the outline
    const { tables, ...outline } = this.status;
    if (parent !== undefined) {
      await getExternalWorkflowHandle(parent.workflowId).signal<[DatabaseStatus]>(DATABASE_SIGNAL, outline);
    }
  }
}
