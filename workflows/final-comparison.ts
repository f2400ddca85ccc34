import { condition } from '@temporalio/workflow';
import type { CutoverStep, Difference, FenceMode, FinalComparePlan } from '../contract';
import type { ActivityClasses } from './activities';
import type { CutoverApplier } from './cutover-applier';
import type { DatabaseLog } from './database-log';
import { failed } from './failure';
import { Limiter } from './limiter';
import { runAll } from './run-all';

/** The comparison of both sides behind the fence. What can be done for it before is done before. */
export class FinalComparison {
  /** What the stream does not carry is on the target, too. */
  hasLateRows = false;
  private batches: FinalComparePlan['batches'] = [];

  constructor(
    private readonly step: CutoverStep,
    private readonly log: DatabaseLog,
    private readonly activities: ActivityClasses,
    private readonly applier: CutoverApplier,
  ) {}

  /** Before the fence. How a table is compared is decided behind it. */
  async prepare(): Promise<void> {
    const { short, long } = this.activities;
    await runAll([
      async () => {
        this.batches = (await short.planFinalCompare(this.step)).batches;
      },
      () => long.readSourceCatalog(this.step),
    ]);
  }

  async compareRows(): Promise<void> {
    const { request, database } = this.step;
    const slots = new Limiter(request.limits.copiesAtOnce);
    const found: Difference[] = [];
    await runAll(
      this.batches.map(({ summary, tableOids, hasLateRows }) => async () => {
        if (hasLateRows) await condition(() => this.hasLateRows);
        const result = await slots.run(() =>
          this.activities.bulk.finalCompare.executeWithOptions({ summary }, [
            { request, database, tableOids },
          ]),
        );
        found.push(...result.differences);
      }),
    );
    await this.refuse(found);
  }

  async compareCatalog(fence: FenceMode): Promise<void> {
    const { differences } = await this.activities.long.compareCatalog({ ...this.step, fence });
    await this.refuse(differences);
  }

  /** Of what no marker tells. */
  async refuseUnpublishedWrites(fence: FenceMode): Promise<void> {
    const { database } = this.step;
    const { differences } = await this.activities.long.compareUnpublished({ ...this.step, fence });
    const [difference] = differences;
    if (difference === undefined) return;
    throw failed({
      code: 'FenceBroken',
      sentence: `After the source was fenced, ${difference.object} was written to. ${difference.message}`,
      remedy:
        'Stop what writes there (below PostgreSQL 16 a read-only transaction may write large objects), or cut over with --fence revoke-connect.',
      side: 'source',
      database,
      object: difference.object,
    });
  }

  /** What somebody wrote behind the fence makes a difference, too, and no new copy mends that. */
  private async refuse(differences: Difference[]): Promise<void> {
    if (differences.length > 0) await this.applier.lastLook();
    this.log.refuseDifferences(differences);
  }
}
