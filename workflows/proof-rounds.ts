import { patched } from '@temporalio/workflow';
import type { DatabaseStep, PostponedProofs } from '../contract';
import type { ActivityClasses } from './activities';
import type { Interruptible } from './interruptible';

/** Milliseconds. */
const FIRST_POSTPONEMENT = 60_000;

/** Proves tables while changes are applied, a round now and then, and knows what keeps it from that. */
export class ProofRounds {
  /** Why tables of the last round were not proven: one sentence. */
  postponed?: string;
  /** Rounds one after the other in which nothing could be proven. */
  private fruitless = 0;

  constructor(
    private readonly step: DatabaseStep,
    private readonly activities: ActivityClasses,
    private readonly interruptible: Interruptible,
  ) {}

  /** @param isOver asked before each batch; what was proven stays so */
  async next(isOver: () => boolean): Promise<void> {
    const { request, database } = this.step;
    const plan = () => this.activities.short.planProofs({ request, database });
    const { batches } = await (patched('interrupt-planning') ? this.interruptible.run(plan) : plan());
    let proven = 0;
    let reason: PostponedProofs | undefined;
    for (const { summary, tableOids } of batches) {
      if (isOver()) return;
      const result = await this.interruptible.run(() =>
        this.activities.bulk.proveTables.executeWithOptions({ summary }, [{ request, database, tableOids }]),
      );
      proven += result.proven;
      reason ??= result.postponed;
      if (result.postponed?.concernsAll !== true) continue;
      reason = result.postponed;
      break;
    }
    this.postponed = reason?.sentence;
    this.fruitless = reason?.concernsAll === true && proven === 0 ? this.fruitless + 1 : 0;
  }

  /** Until the next one, milliseconds. What keeps from all proofs may end soon; each try may hold the applier. */
  get pause(): number {
    const { proof } = this.step.request.timeouts;
    return this.fruitless === 0 ? proof : Math.min(proof, FIRST_POSTPONEMENT * 2 ** (this.fruitless - 1));
  }
}
