import { defineQuery, patched, setCurrentDetails, setHandler } from '@temporalio/workflow';
import {
  LOAD_QUERY,
  PACE_QUERY,
  piecesLeft,
  type Amounts,
  type IndexEntry,
  type LargeObjectBatches,
  type LargeTable,
  type LoadPlan,
  type LoadProgress,
  type LoadStep,
  type PartResult,
  type TableGroup,
  type ThrottleShare,
} from '../contract';
import { activityClasses, type ActivityClasses } from './activities';
import { loadDetails } from './details';
import { withCompanion } from './companion';
import { Limiter } from './limiter';
import { runAll } from './run-all';
import { throttleSignal, wholeShare } from './source-throttle';

const loadQuery = defineQuery<LoadProgress>(LOAD_QUERY);
const paceQuery = defineQuery<number | null>(PACE_QUERY);

/**
 * Copies the rows of one database and builds its indexes. The ledger says what is left: a plan is made, worked
 * through and made again until it is empty, so that whatever a lost snapshot undid is simply planned once more.
 */
export async function load(step: LoadStep, share: ThrottleShare = wholeShare(step)): Promise<Amounts> {
  const loader = new Loader(step, share, activityClasses(step.request));
  setHandler(loadQuery, () => loader.progress, { description: 'Rows, bytes and indexes, planned and done' });
  setHandler(paceQuery, () => loader.pace, { description: 'Bytes a second of each copy, null: no bound' });
  setHandler(throttleSignal, (newShare) => loader.throttle(newShare));

  let plan = await loader.plan();
  while (piecesLeft(plan) > 0) {
    await loader.workThrough(plan);
    plan = await loader.plan();
  }
  return loader.progress.copied;
}

class Loader {
  readonly progress: LoadProgress = {
    planned: { tables: 0, rows: 0, bytes: 0 },
    copied: { tables: 0, rows: 0, bytes: 0 },
    indexes: { total: 0, built: 0 },
  };
  private readonly copies: Limiter;
  private inFlight = 0;
  /** Of the plan's pieces. */
  private uncopied = 0;
  private readonly builds: Limiter;
  /** Apart from the copies, which run under them. */
  private readonly snapshots: Limiter;
  /** In loads under way everything has its turn in the order it came. */
  private readonly hasWeights = patched('parts-before-groups');
  /** Online a table's keeper holds a lock and a snapshot while its parts wait for their turn; for groups nothing is held. */
  private readonly partsFirst = this.hasWeights ? 1 : 0;

  constructor(
    private readonly step: LoadStep,
    private share: ThrottleShare,
    private readonly activities: ActivityClasses,
  ) {
    this.copies = new Limiter(() => this.share.copiesAtOnce);
    this.builds = new Limiter(() => step.request.limits.indexesAtOnce);
    this.snapshots = new Limiter(() => this.share.copiesAtOnce);
    setCurrentDetails(loadDetails(this.progress));
  }

  /** Those in flight have all of the share: one that ends leaves its own to them. */
  get pace(): number | null {
    const { bytesPerSecond } = this.share;
    return bytesPerSecond === undefined ? null : bytesPerSecond / Math.max(1, this.inFlight);
  }

  /** A checksum takes a copy's turn, but no bytes. */
  private async copy<T>(work: () => Promise<T>, weight = 0): Promise<T> {
    return await this.copies.run(async () => {
      this.inFlight += 1;
      try {
        return await work();
      } finally {
        this.inFlight -= 1;
      }
    }, weight);
  }

  throttle(share: ThrottleShare): void {
    this.share = share;
    this.copies.admit();
    this.snapshots.admit();
  }

  async plan(): Promise<LoadPlan> {
    const plan = await this.activities.long.planLoad.executeWithOptions({ summary: 'what is left to load' }, [
      this.step,
    ]);
    const left = plan.largeTables.reduce((sum, table) => sum + table.indexes.length, 0);
    this.progress.planned = plan.planned;
    this.progress.copied = plan.copied;
    this.progress.indexes = { total: this.progress.indexes.built + left, built: this.progress.indexes.built };
    setCurrentDetails(loadDetails(this.progress));
    return plan;
  }

  async workThrough(plan: LoadPlan): Promise<void> {
    this.uncopied = piecesLeft(plan);
    await runAll([
      ...plan.largeTables.map((table) => () => this.largeTable(table)),
      ...plan.groups.map((group) => () => this.group(group)),
      ...plan.largeObjectBatches.map((batch) => () => this.largeObjects(batch)),
    ]);
  }

  /** Parts and the source's checksum side by side, then the indexes. */
  private async largeTable(table: LargeTable): Promise<void> {
    const { oid, name } = table;
    const copies = [
      ...(table.parts.length > 0 ? [() => this.parts(table)] : []),
      ...(table.checksum ? [() => this.sourceChecksum({ oid, name })] : []),
    ];
    if (copies.length > 0) await this.underSnapshot({ oid, name }, () => runAll(copies));
    this.count({ tables: 1, rows: 0, bytes: 0 });
    const indexes = () => this.indexes(table);
    await (this.noteCopied() ? runAll([() => this.completeScope(), indexes]) : indexes());
  }

  /** @returns whether that was the last of all, while indexes are still to be built. */
  private noteCopied(): boolean {
    this.uncopied -= 1;
    const { built, total } = this.progress.indexes;
    if (this.uncopied > 0 || built === total || this.step.request.mode === 'Online') return false;
    return patched('snapshot-until-copied');
  }

  /** A source that restarts costs nothing from then on: the indexes may take as long as the copies did. */
  private async completeScope(): Promise<void> {
    await this.activities.short.completeScope.executeWithOptions({ summary: 'all is copied' }, [this.step]);
  }

  /**
   * Constraints one after the other, for each locks out whatever else is built on its table, and would take a turn only to
   * wait; then all indexes side by side, those of keys among them, which are made their constraints last.
   */
  private async indexes({ indexes }: LargeTable): Promise<void> {
    const locksAlone = ({ locksTable, hasKeyIndex }: IndexEntry) =>
      locksTable === true && hasKeyIndex !== true;
    for (const entry of indexes.filter(locksAlone)) await this.buildIndex(entry);
    const together = indexes.filter((entry) => !locksAlone(entry));
    const keys = together.length > 1 ? together.filter(({ hasKeyIndex }) => hasKeyIndex === true) : [];
    await runAll(
      together.map(
        (entry) => () => (keys.includes(entry) ? this.buildKeyIndex(entry) : this.buildIndex(entry)),
      ),
    );
    for (const entry of keys) await this.buildIndex(entry);
  }

  private async buildKeyIndex({ cost, ...entry }: IndexEntry): Promise<void> {
    const { bulk } = this.activities;
    const summary = `index of ${entry.name}`;
    await this.builds.run(
      () => bulk.buildKeyIndex.executeWithOptions({ summary }, [{ ...this.step, entry }]),
      this.hasWeights ? cost : 0,
    );
  }

  private async buildIndex({ cost, ...entry }: IndexEntry): Promise<void> {
    const { bulk } = this.activities;
    await this.builds.run(
      () => bulk.buildIndex.executeWithOptions({ summary: entry.name }, [{ ...this.step, entry }]),
      this.hasWeights ? cost : 0,
    );
    this.progress.indexes.built += 1;
    setCurrentDetails(loadDetails(this.progress));
  }

  /** Offline one snapshot of the whole database is held already; online a large table has its own. */
  private async underSnapshot(
    table: { oid: number; name: string },
    copy: () => Promise<void>,
  ): Promise<void> {
    if (this.step.request.mode === 'Offline') return await copy();
    const summary = `keep lock and snapshot of ${table.name}`;
    await this.snapshots.run(() =>
      withCompanion(
        () =>
          this.activities.stream.holdTableSnapshot.executeWithOptions({ summary }, [{ ...this.step, table }]),
        copy,
      ),
    );
  }

  /** Until all are of one snapshot: a keeper that dies takes along what was copied from its own. */
  private async parts({ oid, name, parts }: LargeTable): Promise<void> {
    const copied = new Map<number, PartResult>();
    let left = parts;
    while (left.length > 0) {
      await runAll(
        left.map((part) => async () => {
          copied.set(part, await this.part({ oid, name }, part));
        }),
      );
      const newest = Math.max(...[...copied.values()].map(({ scope }) => scope));
      const lost = [...copied].filter(([, { scope }]) => scope < newest);
      for (const [, { rows, bytes }] of lost) this.count({ tables: 0, rows: -rows, bytes: -bytes });
      left = lost.map(([part]) => part);
    }
  }

  private async part(table: { oid: number; name: string }, part: number): Promise<PartResult> {
    const summary = `${table.name} part ${part}`;
    const result = await this.copy(
      () => this.activities.bulk.copyPart.executeWithOptions({ summary }, [{ ...this.step, table, part }]),
      this.partsFirst,
    );
    const { rows, bytes } = result;
    this.count({ tables: 0, rows, bytes });
    return result;
  }

  private async sourceChecksum(table: { oid: number; name: string }): Promise<void> {
    const summary = `checksum of ${table.name} on the source`;
    await this.copies.run(
      () =>
        this.activities.bulk.checksumSourceTable.executeWithOptions({ summary }, [{ ...this.step, table }]),
      this.partsFirst,
    );
  }

  private async group(group: TableGroup): Promise<void> {
    const summary = `group ${group.number}: ${group.tables} small tables`;
    const copied = await this.copy(() =>
      this.activities.bulk.copyGroup.executeWithOptions({ summary }, [{ ...this.step, group: group.number }]),
    );
    this.count(copied);
    if (this.noteCopied()) await this.completeScope();
  }

  private async largeObjects(batch: LargeObjectBatches): Promise<void> {
    const which = typeof batch === 'number' ? `batch ${batch}` : `batches ${batch.join(' to ')}`;
    const summary = `large objects, ${which}`;
    const { bytes } = await this.copy(() =>
      this.activities.bulk.copyLargeObjects.executeWithOptions({ summary }, [{ ...this.step, batch }]),
    );
    this.count({ tables: 0, rows: 0, bytes });
    if (this.noteCopied()) await this.completeScope();
  }

  private count(amounts: Amounts): void {
    const { copied } = this.progress;
    copied.tables += amounts.tables;
    copied.rows += amounts.rows;
    copied.bytes += amounts.bytes;
    setCurrentDetails(loadDetails(this.progress));
  }
}
