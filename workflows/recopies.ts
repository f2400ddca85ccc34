import { CancellationScope, patched, uuid4 } from '@temporalio/workflow';
import type { DatabaseStep, RecopyStep } from '../contract';
import { loadRows } from './load-rows';
import type { OnlineMigration } from './online-database';
import { takeUp } from './order-answers';

/**
 * Copies tables anew, one after the other, while the others' changes are applied. Each is loaded alone: one that cannot be
 * copied keeps no other from it.
 */
export class Recopies {
  /** How many are not done. */
  left = 0;
  private last: Promise<void> = Promise.resolve();
  private readonly loads = new CancellationScope();
  private hasEnded = false;
  private isCovered = false;

  constructor(private readonly migration: OnlineMigration) {}

  /** For somebody, who waits for the answer. */
  add(table: string, order: string): void {
    this.queue(async () => {
      if (this.hasEnded) {
        if (this.isCovered) await takeUp(order, () => Promise.resolve());
        return;
      }
      let tableOid: number | undefined;
      const reset = async () => {
        tableOid = await this.reset({ table, order });
      };
      if (await takeUp(order, reset)) await this.migration.log.orReport(() => this.load(tableOid));
    });
  }

  /** A cutover has copied it, and was called off. */
  addDoubtful(table: string): void {
    const order = uuid4();
    this.queue(async () => {
      if (this.hasEnded) return;
      await this.migration.log.orReport(async () =>
        this.load(await this.reset({ table, order, doubtful: true })),
      );
    });
  }

  /** All tables will be copied anew: whoever waits for an answer has it with the end. */
  coverAll(): void {
    this.isCovered = true;
  }

  /** A load that is under way ends before its end, and no other begins. */
  async end(): Promise<void> {
    if (this.left > 0 && patched('end-recopies')) {
      this.hasEnded = true;
      this.loads.cancel();
    }
    await this.last.catch(() => undefined);
  }

  private queue(work: () => Promise<void>): void {
    this.left += 1;
    this.last = this.last.then(() => work().finally(() => (this.left -= 1)));
    // a cancellation ends it, maybe long before anybody waits for its end
    this.last.catch(() => undefined);
  }

  private async reset(what: Omit<RecopyStep, keyof DatabaseStep>): Promise<number | undefined> {
    const { step, activities } = this.migration;
    return (await activities.long.resetForRecopy({ ...step, ...what }))?.tableOid;
  }

  private async load(tableOid: number | undefined): Promise<void> {
    const { step, share } = this.migration;
    try {
      await this.loads.run(() => loadRows({ ...step, tableOid }, share));
    } catch (error) {
      if (!this.hasEnded) throw error;
    }
  }
}
