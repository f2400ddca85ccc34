import type { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { PACE_QUERY, type MigrationRequest } from '../../contract';
import { Pace } from '../../postgres/copy';

/** Milliseconds. */
const BETWEEN_QUESTIONS = 2_000;
const PATIENCE = 5_000;

/** By the load's workflow: its copies on this worker ask once for all of them. */
const loads = new Map<string, LoadRate>();

/**
 * Runs a copy of the load that this activity belongs to, with the pace that the load gives each of its copies. Where the load
 * does not answer, the last answer holds; before the first, the least that the request could mean.
 */
export async function withPace<T>(
  context: Context,
  request: MigrationRequest,
  work: (pace: Pace) => Promise<T>,
): Promise<T> {
  const { client, info } = context;
  const workflowId = info.workflowExecution?.workflowId ?? '';
  const load = loads.get(workflowId) ?? new LoadRate(client, workflowId, request);
  loads.set(workflowId, load);
  try {
    await load.begin();
    return await work(new Pace(() => load.bytesPerSecond));
  } finally {
    if (load.end() === 0) loads.delete(workflowId);
  }
}

class LoadRate {
  bytesPerSecond: number | undefined;
  private copies = 0;
  private firstAnswer: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: Client,
    private readonly workflowId: string,
    { throttle, limits }: MigrationRequest,
  ) {
    if (throttle?.maxRate !== undefined) {
      this.bytesPerSecond = throttle.maxRate / (limits.databasesAtOnce * limits.copiesAtOnce);
    }
  }

  /** Resolves when the rate is known, or cannot be learned at the moment. */
  async begin(): Promise<void> {
    this.copies += 1;
    this.firstAnswer ??= this.ask();
    await this.firstAnswer;
  }

  /** @returns how many are left */
  end(): number {
    this.copies -= 1;
    if (this.copies === 0) clearTimeout(this.timer);
    return this.copies;
  }

  private async ask(): Promise<void> {
    const { client, workflowId } = this;
    try {
      const rate = await client.withDeadline(Date.now() + PATIENCE, () =>
        client.workflow.getHandle(workflowId).query<number | null>(PACE_QUERY),
      );
      this.bytesPerSecond = rate ?? undefined;
    } catch {
      // the copy goes on as before while Temporal is away
    }
    if (this.copies > 0) this.timer = setTimeout(() => void this.ask(), BETWEEN_QUESTIONS);
  }
}
