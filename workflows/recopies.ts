import { CancellationScope, patched } from '@temporalio/workflow';
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

  constructor(private readonly migration: OnlineMigration) {}

  /** @param order whose answer somebody waits for */
  add(table: string, order?: string): void {
    const next = async () => {
      if (!this.hasEnded) await this.recopy(table, order);
      // what ended it copies all tables anew, or the database has ended
      else if (order !== undefined) await takeUp(order, () => Promise.resolve());
    };
    this.left += 1;
    this.last = this.last.then(() => next().finally(() => (this.left -= 1)));
    // a cancellation ends it, maybe long before anybody waits for its end
    this.last.catch(() => undefined);
  }

  /** A load that is under way ends before its end, and no other begins. */
  async end(): Promise<void> {
    if (this.left > 0 && patched('end-recopies')) {
      this.hasEnded = true;
      this.loads.cancel();
    }
    await this.last.catch(() => undefined);
  }

  private async recopy(table: string, order?: string): Promise<void> {
    const { step, log, activities, share } = this.migration;
    let tableOid: number | undefined;
    const reset = async () => {
      tableOid = (await activities.long.resetForRecopy({ ...step, table }))?.tableOid;
    };
    if (order !== undefined && !(await takeUp(order, reset))) return;
    await log.orReport(async () => {
      if (order === undefined) await reset();
      await this.load(() => loadRows({ ...step, tableOid }, share));
    });
  }

  private async load(work: () => Promise<unknown>): Promise<void> {
    try {
      await this.loads.run(work);
    } catch (error) {
      if (!this.hasEnded) throw error;
    }
  }
}
