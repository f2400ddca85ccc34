import { CancellationScope, startChild, workflowInfo, type ChildWorkflowHandle } from '@temporalio/workflow';
import {
  END_SIGNAL,
  PAUSE_UPDATE,
  replicateWorkflowId,
  RESUME_UPDATE,
  type DatabaseStep,
  type ReplicateStep,
  type ReplicationStatus,
} from '../contract';
import { replicate } from './replicate.workflow';

/** The replication of a database, as its workflow sees it: a child that goes on until it is told to end. */
export class Replication {
  private constructor(private readonly child: ChildWorkflowHandle<typeof replicate>) {}

  static async start(
    step: DatabaseStep,
    before: Pick<ReplicateStep, 'caughtUp' | 'waitingForeignKeys' | 'told'>,
  ): Promise<Replication> {
    const child = await startChild(replicate, {
      workflowId: replicateWorkflowId(workflowInfo().workflowId),
      args: [{ ...step, ...before, paused: false }],
      staticSummary: `replication of ${step.database}`.slice(0, 150),
    });
    return new Replication(child);
  }

  /** @param order its notice names it when it stands still */
  async pause(order: string): Promise<void> {
    await this.child.signal(PAUSE_UPDATE, { order });
  }

  /** @param order its notice names it when it goes on; absent: nobody waits for that */
  async resume(order?: string): Promise<void> {
    await this.child.signal(RESUME_UPDATE, { order });
  }

  /** Ends it after the batch at hand. */
  async end(): Promise<ReplicationStatus | undefined> {
    await this.child.signal(END_SIGNAL);
    return await this.child.result();
  }

  /** Ends it if it goes on still, whatever became of what was to come of it. */
  async settle(): Promise<void> {
    await CancellationScope.nonCancellable(() => this.end().catch(() => undefined));
  }

  /** It ends by itself only where something is broken. */
  async failure(): Promise<never> {
    await this.child.result();
    return await new Promise<never>(() => undefined);
  }
}
