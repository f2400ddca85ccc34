import { Tuple, UNCHANGED, type RowChange } from '../pgoutput';
import type { RowKey } from './row-key';

/**
 * What became of one row since the last write: it was not there before and is now (`insert`), it is another one with the
 * same key now (`replace`), it was there before and is not any more (`delete`), it came and went (`nothing`).
 */
interface Effect {
  kind: 'insert' | 'update' | 'delete' | 'replace' | 'nothing';
  /** The row as it is now; of a row that is gone the key's columns at least. */
  row: Tuple;
}

/** What has to be written, in this order. */
export interface NetRows {
  /** Rows with the key's columns at least. */
  deletes: Tuple[];
  updates: Tuple[];
  inserts: Tuple[];
}

/**
 * The net effect of changes to rows that keep their keys. Rows that are there at the same time differ in the text of
 * their keys, and a row keeps that text while no old key is sent: so it tells which row a change is about, even where
 * the key's type takes different texts for equal. Of two such keys one is gone before the other comes.
 */
export class NetEffect {
  private readonly effects = new Map<RowKey, Effect>();

  /** How many rows were touched. */
  get size(): number {
    return this.effects.size;
  }

  /** Of every row that was touched, even of those that are as they were. */
  keys(): Iterable<RowKey> {
    return this.effects.keys();
  }

  /**
   * @param row of a row that is gone: its key's columns at least
   * @returns false where the change cannot follow what came before it, as far as that is known
   */
  add(key: RowKey, change: RowChange['kind'], row: Tuple): boolean {
    const effect = this.effects.get(key);
    if (effect === undefined) {
      this.effects.set(key, { kind: change, row });
      return true;
    }
    const { kind } = effect;
    const isThere = kind === 'insert' || kind === 'update' || kind === 'replace';
    if (isThere === (change === 'insert')) return false;
    if (change === 'insert') effect.kind = kind === 'delete' ? 'replace' : 'insert';
    if (change === 'delete') effect.kind = kind === 'insert' ? 'nothing' : 'delete';
    effect.row = change === 'update' ? withUnchanged(row, effect.row) : row;
    return true;
  }

  /** Hands out what is to be written, and begins anew. */
  take(): NetRows {
    const rows: NetRows = { deletes: [], updates: [], inserts: [] };
    for (const { kind, row } of this.inKeyOrder()) {
      if (kind === 'delete' || kind === 'replace') rows.deletes.push(row);
      if (kind === 'update') rows.updates.push(row);
      if (kind === 'insert' || kind === 'replace') rows.inserts.push(row);
    }
    this.effects.clear();
    return rows;
  }

  /**
   * Of all orders, that of whole-number keys touches the fewest pages: measured, the target needs a tenth to a fifth less
   * time for updates at random places of a table that fits its cache.
   */
  private inKeyOrder(): Effect[] {
    const sorted = sortedIfNumbers(this.effects);
    return sorted?.map((key) => this.effects.get(key) as Effect) ?? [...this.effects.values()];
  }
}

/** `undefined`: they stay in the order they have. */
function sortedIfNumbers(effects: ReadonlyMap<RowKey, Effect>): number[] | undefined {
  const keys: number[] = [];
  let last = -1;
  let areSorted = true;
  for (const key of effects.keys()) {
    if (typeof key !== 'number') return undefined;
    areSorted &&= key > last;
    last = key;
    keys.push(key);
  }
  return areSorted ? undefined : [...Float64Array.from(keys).sort()];
}

/** What an update left alone is as it was in the row before. */
function withUnchanged(row: Tuple, before: Tuple): Tuple {
  if (!row.hasUnchanged) return row;
  return Tuple.of(row.values().map((value, column) => (value === UNCHANGED ? before.value(column) : value)));
}
