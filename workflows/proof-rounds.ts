import { patched } from '@temporalio/workflow';
import type { DatabaseStep, PostponedProofs, ProofPlan, ProofResult } from '../contract';
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
    const round = await proveBatches(
      batches,
      ({ summary, tableOids }) =>
        this.interruptible.run(() =>
          this.activities.bulk.proveTables.executeWithOptions({ summary }, [
            { request, database, tableOids },
          ]),
        ),
      isOver,
    );
    if (round === undefined) return;
    const { proven, postponed } = round;
    this.postponed = postponed?.sentence;
    this.fruitless = postponed?.concernsAll === true && proven === 0 ? this.fruitless + 1 : 0;
  }

  /** Until the next one, milliseconds. What keeps from all proofs may end soon; each try may hold the applier. */
  get pause(): number {
    const { proof } = this.step.request.timeouts;
    return this.fruitless === 0 ? proof : Math.min(proof, FIRST_POSTPONEMENT * 2 ** (this.fruitless - 1));
  }
}

/**
 * One batch after the other, until one waits for what any other would wait for.
 *
 * @param isOver asked before each batch
 * @returns what keeps from the most proofs, if anything; `undefined`: it was over before its end
 */
export async function proveBatches(
  batches: ProofPlan['batches'],
  prove: (batch: ProofPlan['batches'][number]) => Promise<ProofResult>,
  isOver: () => boolean = () => false,
): Promise<Omit<ProofResult, 'differences'> | undefined> {
  let proven = 0;
  let first: PostponedProofs | undefined;
  for (const batch of batches) {
    if (isOver()) return undefined;
    const result = await prove(batch);
    proven += result.proven;
    if (result.postponed?.concernsAll === true) return { proven, postponed: result.postponed };
    first ??= result.postponed;
  }
  return { proven, postponed: first };
}
