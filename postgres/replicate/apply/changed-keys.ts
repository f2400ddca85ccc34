import { keyTexts, type RowKey } from './row-key';
import type { TargetTable } from './target-table';

/** Keys that are named for one table at most. */
export const MOST_KEYS = 50_000;

/** Which rows of which tables are changed. */
export class ChangedKeys {
  private readonly tables = new Map<number, { columns: number; keys: Set<RowKey> | null }>();

  /** @param isWanted by a table's oid on the source: nobody asks for the others' */
  constructor(private readonly isWanted: (oid: number) => boolean) {}

  add({ oid, key: { length: columns } }: TargetTable, keys: Iterable<RowKey>): void {
    if (!this.isWanted(oid)) return;
    let known = this.tables.get(oid);
    if (known === undefined) {
      known = { columns, keys: new Set() };
      this.tables.set(oid, known);
    }
    for (const key of keys) {
      if (known.keys === null) return;
      known.keys.add(key);
      if (known.keys.size > MOST_KEYS) known.keys = null;
    }
  }

  /** Rows that cannot be named. */
  addUnnamed(oid: number): void {
    if (!this.isWanted(oid)) return;
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
