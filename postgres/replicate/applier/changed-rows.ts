import type { Client } from 'pg';
import { formatLsn, type Lsn } from '../lsn';

/** Keys of one transaction of the target that are named; with more, only its tables are. */
const KEYS_NAMED = 100_000;

/** `null`: rows changed that cannot be named. */
export type ChangedKeys = Map<number, string[][] | null>;

/** Notes which rows a batch changed, so that the final comparison needs to look at no others. */
export class ChangedRows {
  private named = 0;

  constructor(private readonly client: Client) {}

  /** @param lsn behind the beginning of the commit record of what changed them, and not behind the batch's end */
  async note(changed: ChangedKeys, lsn: Lsn): Promise<void> {
    const named: [oid: number, keys: string][] = [];
    const unnamed: number[] = [];
    for (const [oid, keys] of changed) {
      if (keys?.length === 0) continue;
      this.named += keys?.length ?? 0;
      if (keys === null || this.named > KEYS_NAMED) unnamed.push(oid);
      else named.push([oid, JSON.stringify(keys)]);
    }
    if (named.length > 0) await this.insert(named, lsn);
    if (unnamed.length > 0) await this.raise(unnamed, lsn);
  }

  private async insert(named: [oid: number, keys: string][], lsn: Lsn): Promise<void> {
    await this.client.query(
      `INSERT INTO flexlift.changed_rows (table_oid, lsn, keys)
       SELECT c.table_oid, $1, c.keys FROM unnest($2::oid[], $3::jsonb[]) AS c(table_oid, keys)`,
      [formatLsn(lsn), named.map(([oid]) => oid), named.map(([, keys]) => keys)],
    );
  }

  /** Only the latest of a table's unnamed changes matters: one row a table, however many batches there are. */
  private async raise(oids: number[], lsn: Lsn): Promise<void> {
    await this.client.query(
      `WITH raised AS (UPDATE flexlift.changed_rows SET lsn = $1
                        WHERE table_oid = ANY ($2::oid[]) AND keys IS NULL RETURNING table_oid)
       INSERT INTO flexlift.changed_rows (table_oid, lsn, keys)
       SELECT c.table_oid, $1, NULL FROM unnest($2::oid[]) AS c(table_oid)
        WHERE c.table_oid NOT IN (SELECT table_oid FROM raised)`,
      [formatLsn(lsn), oids],
    );
  }
}
