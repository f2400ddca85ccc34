import { condition } from '@temporalio/workflow';
import type { CutoverStep, Difference, FenceMode, FinalComparePlan } from '../contract';
import type { CutoverApplier } from './cutover-applier';
import type { DatabaseMigration } from './database-migration';
import { failed } from './failure';
import { Limiter } from './limiter';
import { runAll } from './run-all';

interface ComparedCutover extends DatabaseMigration {
  step: CutoverStep;
  applier: CutoverApplier;
}

/** The comparison of both sides behind the fence. What can be done for it before is done before. */
export class FinalComparison {
  /** What the stream does not carry is on the target, too. */
  hasLateRows = false;
  private batches: FinalComparePlan['batches'] = [];

  constructor(private readonly cutover: ComparedCutover) {}

  /** Before the fence. How a table is compared is decided behind it. */
  async prepare(): Promise<void> {
    const { step, activities } = this.cutover;
    const { short, long } = activities;
    await runAll([
      async () => {
        this.batches = (await short.planFinalCompare(step)).batches;
      },
      () => long.readSourceCatalog(step),
    ]);
  }

  async compareRows(): Promise<void> {
    const { step, activities, share } = this.cutover;
    const { request, database } = step;
    const slots = new Limiter(() => share().copiesAtOnce);
    const found: Difference[] = [];
    await runAll(
      this.batches.map(({ summary, tableOids, hasLateRows }) => async () => {
        if (hasLateRows) await condition(() => this.hasLateRows);
        const result = await slots.run(() =>
          activities.bulk.finalCompare.executeWithOptions({ summary }, [{ request, database, tableOids }]),
        );
        found.push(...result.differences);
      }),
    );
    await this.refuse(found);
  }

  async compareCatalog(fence: FenceMode): Promise<void> {
    const { step, activities, log } = this.cutover;
    const { differences, notCompared } = await activities.long.compareCatalog({ ...step, fence });
    log.status.notCompared = notCompared;
    await this.refuse(differences);
  }

  /** Writes that do not come in the stream, so that no marker tells of them. */
  async refuseUnpublishedWrites(fence: FenceMode): Promise<void> {
    const { step, activities } = this.cutover;
    const { differences } = await activities.long.compareUnpublished({ ...step, fence });
    const [difference] = differences;
    if (difference === undefined) return;
    throw failed({
      code: 'FenceBroken',
      sentence: `After the source was fenced, ${difference.object} was written to. ${difference.message}`,
      remedy:
        'Stop what writes there (below PostgreSQL 16 a read-only transaction may write large objects), or cut over with --fence revoke-connect.',
      side: 'source',
      database: step.database,
      object: difference.object,
    });
  }

  /** What somebody wrote behind the fence makes a difference, too, and no new copy mends that. */
  private async refuse(differences: Difference[]): Promise<void> {
    if (differences.length > 0) await this.cutover.applier.lastLook();
    this.cutover.log.refuseDifferences(differences);
  }
}
