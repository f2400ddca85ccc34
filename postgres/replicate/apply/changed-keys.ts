import { keyTexts, type RowKey } from './row-key';
import type { TargetTable } from './target-table';

/** Keys that are named for one table at most. */
export const MOST_KEYS = 50_000;

/** Which rows of which tables are changed. */
export class ChangedKeys {
  private readonly tables = new Map<number, { columns: number; keys: Set<RowKey> | null }>();

  add(table: TargetTable, key: RowKey): void {
    let known = this.tables.get(table.oid);
    if (known === undefined) {
      known = { columns: table.key.length, keys: new Set() };
      this.tables.set(table.oid, known);
    }
    known.keys?.add(key);
    if (known.keys !== null && known.keys.size > MOST_KEYS) known.keys = null;
  }

  /** Rows that cannot be named. */
  addUnnamed(oid: number): void {
    const known = this.tables.get(oid);
    if (known === undefined) this.tables.set(oid, { columns: 0, keys: null });
    else known.keys = null;
  }

  toMap(): Map<number, string[][] | null> {
    return new Map(
      [...this.tables].map(([oid, { columns, keys }]) => [
        oid,
        keys === null ? null : [...keys].map((key) => keyTexts(key, columns)),
      ]),
    );
  }
}
