import type { Client } from 'pg';
import { quoteLiteral } from '../../connect';
import { relationsIn, type Change, type Relation, type Truncate } from '../pgoutput';
import { ChangedKeys } from './changed-keys';
import { Pipeline, StatementFailure } from './pipeline';
import { deleteAllStatement, truncateStatement } from './statements';
import type { LoadedTable, TargetTable } from './target-table';
import type { TargetTables } from './target-tables';
import { tableWriter, type TableWriter } from './table-writer';
import { Treatment } from './treatment';

export interface WriteArguments {
  /** In an open transaction. */
  target: Client;
  tables: TargetTables;
  /** In the source's order. */
  changes: Change[];
  /** By oid on the source. */
  loaded: (sourceOid: number) => LoadedTable;
  /** By oid on the source: the keys of its changed rows are wanted. */
  isNoted: (sourceOid: number) => boolean;
  /** Something was written in this transaction before. */
  isContinued: boolean;
  signal: AbortSignal;
}

/** Counts are of the source's changes; a TRUNCATE of several tables is one. */
export interface Written {
  inserts: number;
  updates: number;
  deletes: number;
  truncates: number;
  /**
   * By oid on the source: the keys of changed rows, each the texts of the identity's columns in their order; null where
   * they cannot be named, or are more than {@link MOST_KEYS}.
   */
  changedKeys: Map<number, string[][] | null>;
  /** A table's net effect met a constraint or a surprise, and its changes were written one by one instead. */
  replayedStrictly: boolean;
}

/**
 * Writes changes of one or several whole transactions, or of a piece of one, in the caller's transaction, whose planner
 * settings and constraints' timing it changes; its savepoint stays until the next call or the transaction's end. Each
 * table's net effect first; where that breaks a constraint (a unique value handed from row to row) or meets another number
 * of rows than expected, that table's changes one by one.
 *
 * @throws ChangeRejection where a table cannot take a change; the transaction is to be rolled back, as after any other
 * failure
 */
export async function writeChanges(args: WriteArguments): Promise<Written> {
  const { target, changes, signal } = args;
  // before anything is sent, for the questions to the catalog cannot be asked in between
  const known = await args.tables.describe([...relationsIn(changes)], args.loaded);
  const treatment = new Treatment(target);
  const rawBytes = await args.tables.takesRawBytes();
  for (;;) {
    const isFirst = !treatment.isRepeated;
    const run = new Run(known, treatment, args);
    try {
      await Pipeline.run(target, async (pipeline) => {
        if (isFirst) prepare(pipeline, { rawBytes, isContinued: args.isContinued });
        await run.write(pipeline, changes);
      });
      const replayedStrictly = treatment.strictTables.size > 0;
      return { ...countsOf(changes), changedKeys: run.changedKeys.toMap(), replayedStrictly };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StatementFailure)) throw error;
      treatment.changeAfter(error);
      await target.query('ROLLBACK TO SAVEPOINT flexlift_changes');
    }
  }
}

/**
 * So many changes' net effect is written at a time: while the target works on it, that of the next ones is found. With
 * all of a batch at once the two would wait for each other.
 */
const CHANGES_PER_FLUSH = 10_000;
/** Smaller, for the target has nothing to do until it comes; each one after it is twice as large. */
const CHANGES_OF_FIRST_FLUSH = 1_000;

/**
 * Rows are always looked up by index, however the planner judges a table that was never analyzed; the penalties of the
 * other plans would call in the compiler.
 */
const SETTINGS = { enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off', jit: 'off' };

function prepare(
  pipeline: Pipeline,
  { rawBytes, isContinued }: { rawBytes: boolean; isContinued: boolean },
): void {
  const settings = rawBytes ? { ...SETTINGS, client_encoding: 'SQL_ASCII' } : SETTINGS;
  const calls = Object.entries(settings).map(
    ([name, value]) => `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, true)`,
  );
  const statements = [
    ...(isContinued ? ['RELEASE SAVEPOINT flexlift_changes'] : []),
    `SELECT ${calls.join(', ')}`,
    'SET CONSTRAINTS ALL DEFERRED',
    'SAVEPOINT flexlift_changes',
  ];
  for (const sql of statements) pipeline.execute({ sql, parameters: [] }, { action: 'prepare' });
}

/** One try to write all changes. */
class Run {
  readonly changedKeys: ChangedKeys;
  private readonly signal: AbortSignal;
  private readonly writers = new Map<number, TableWriter>();

  constructor(
    private readonly known: ReadonlyMap<Relation, TargetTable>,
    private readonly treatment: Treatment,
    { isNoted, signal }: WriteArguments,
  ) {
    this.changedKeys = new ChangedKeys(isNoted);
    this.signal = signal;
  }

  async write(pipeline: Pipeline, changes: Change[]): Promise<void> {
    let writer: TableWriter | undefined;
    let pending = 0;
    let most = CHANGES_OF_FIRST_FLUSH;
    for (const change of changes) {
      if (pending === most) {
        await this.flushWhatStays();
        pending = 0;
        most = Math.min(most * 2, CHANGES_PER_FLUSH);
      }
      pending += 1;
      if (change.kind === 'truncate') {
        await this.truncate(pipeline, change);
        continue;
      }
      const { relation } = change;
      if (writer?.relation !== relation) {
        this.signal.throwIfAborted();
        const present = this.writers.get(relation.oid);
        // waiting even for what is there already would cost more than all the rest
        writer = present?.relation === relation ? present : await this.newWriter(pipeline, relation, present);
      }
      const taken = writer.add(change);
      if (taken !== undefined) await taken;
    }
    await this.flush();
  }

  private async flush(): Promise<void> {
    for (const writer of this.writers.values()) await writer.flush();
  }

  /**
   * The few rows that every transaction changes are written once, at the end: of pgbench's tellers and branches the target
   * has four percent less to do.
   */
  private async flushWhatStays(): Promise<void> {
    for (const writer of this.writers.values()) if (!writer.isCollapsing) await writer.flush();
  }

  /** A table has one writer at a time: it may be described anew in the middle. */
  private async newWriter(
    pipeline: Pipeline,
    relation: Relation,
    before: TableWriter | undefined,
  ): Promise<TableWriter> {
    await before?.flush();
    const { changedKeys } = this;
    const isStrict = this.treatment.strictTables.has(relation.oid);
    const table = this.tableOf(relation);
    const writer = tableWriter({ pipeline, relation, table, changedKeys, isStrict });
    this.writers.set(relation.oid, writer);
    return writer;
  }

  /** No CASCADE: the source sends all tables that it emptied. */
  private async truncate(pipeline: Pipeline, { relations }: Truncate): Promise<void> {
    for (const { oid } of relations) {
      await this.writers.get(oid)?.flush();
      this.changedKeys.addUnnamed(oid);
    }
    const tables = relations.map((relation) => this.tableOf(relation));
    const [table] = tables;
    if (table === undefined) return;
    if (!this.treatment.emptiedByDelete.has(table.oid)) {
      pipeline.execute(truncateStatement(tables), { action: 'truncate', table });
      return;
    }
    for (const each of tables) {
      pipeline.execute(deleteAllStatement(each), { action: 'truncate', table: each });
    }
  }

  private tableOf(relation: Relation): TargetTable {
    const table = this.known.get(relation);
    if (table === undefined) throw new Error(`the table with oid ${relation.oid} was not described`);
    return table;
  }
}

function countsOf(changes: Change[]): Pick<Written, `${Change['kind']}s`> {
  const counts = { insert: 0, update: 0, delete: 0, truncate: 0 };
  for (const { kind } of changes) counts[kind] += 1;
  return {
    inserts: counts.insert,
    updates: counts.update,
    deletes: counts.delete,
    truncates: counts.truncate,
  };
}
