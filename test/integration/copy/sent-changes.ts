import type { Client } from 'pg';
import { quoteIdentifier, quoteQualified } from '../../../postgres/connect';
import { formatLsn, parseLsn, type Lsn } from '../../../postgres/replicate/lsn';
import {
  PgoutputDecoder,
  type Change,
  type RowChange,
  type Tuple,
} from '../../../postgres/replicate/pgoutput';
import { eventually } from '../../support/eventually';
import type { OnlinePair } from './online-fixture';

/** A slot beside the copies, and a publication of all tables. */
export class SentChanges {
  private constructor(
    private readonly online: OnlinePair,
    private readonly slot: string,
  ) {}

  /** From here on. */
  static async since(online: OnlinePair): Promise<SentChanges> {
    const slot = `handoff_${online.pair.databases.source}`;
    await online.pair.sql('source', 'CREATE PUBLICATION handoff FOR ALL TABLES');
    await online.pair.sql('source', `SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
    return new SentChanges(online, slot);
  }

  async drop(): Promise<void> {
    await this.online.pair.sql('source', 'SELECT pg_drop_replication_slot($1)', [this.slot]);
  }

  /**
   * Applies what each table's copy does not hold by its LSN, strictly: every change must find the one row that it is about.
   *
   * @returns how many changes were applied, and how many dropped
   */
  async apply(): Promise<{ applied: number; dropped: number }> {
    const { pair } = this.online;
    const copyLsn = new Map(
      Object.entries(await this.online.ledger()).map(([name, { lsn }]) => [name, parseLsn(lsn ?? '')]),
    );
    const isHeld = ({ change, commitLsn }: Sent) => {
      const from = copyLsn.get(change.relation.name);
      if (from === undefined)
        throw new Error(`no copy of ${change.relation.name} at ${formatLsn(commitLsn)}`);
      return commitLsn < from;
    };
    const sent = await this.all();
    const missing = sent.filter((each) => !isHeld(each));
    await pair.session('target', async (client) => {
      for (const { change } of missing) await applyTo(client, change);
    });
    return { applied: missing.length, dropped: sent.length - missing.length };
  }

  private async all(): Promise<Sent[]> {
    await flushed(this.online);
    const rows = await this.online.pair.sql<{ data: Buffer }>(
      'source',
      `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'handoff')`,
      [this.slot],
    );
    const decoder = new PgoutputDecoder();
    let commitLsn = 0n;
    return rows.flatMap(({ data }) => {
      const event = decoder.decode(data);
      if (event?.kind === 'begin') commitLsn = event.commitLsn;
      const isChange = event?.kind === 'insert' || event?.kind === 'update' || event?.kind === 'delete';
      return isChange ? [{ change: event, commitLsn }] : [];
    });
  }
}

interface Sent {
  change: RowChange;
  /** Where its transaction's commit record begins. */
  commitLsn: Lsn;
}

/** The asynchronous commits, too. */
async function flushed({ pair }: OnlinePair): Promise<void> {
  const [end] = await pair.sql<{ lsn: string }>('source', 'SELECT pg_current_wal_insert_lsn() AS lsn');
  await eventually('the asynchronous commits to be flushed', async () => {
    const rows = await pair.sql('source', 'SELECT WHERE pg_current_wal_flush_lsn() >= $1', [end?.lsn]);
    return rows.length === 1;
  });
}

/** By the first column, the key. */
async function applyTo(target: Client, change: RowChange): Promise<void> {
  const table = quoteQualified('public', change.relation.name);
  const columns = change.relation.columns.map(({ name }) => quoteIdentifier(name));
  const [key] = columns;
  if (change.kind === 'insert') {
    const parameters = columns.map((_, index) => `$${index + 1}`).join(', ');
    await target.query(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${parameters})`,
      texts(change.row),
    );
    return;
  }
  const [id] = texts(change.old?.row ?? (change as Extract<Change, { kind: 'update' }>).row);
  const { rowCount } =
    change.kind === 'delete'
      ? await target.query(`DELETE FROM ${table} WHERE ${key} = $1`, [id])
      : await target.query(
          `UPDATE ${table} SET ${columns.map((name, index) => `${name} = COALESCE($${index + 2}, ${name})`).join(', ')}
            WHERE ${key} = $1`,
          [id, ...texts(change.row)],
        );
  expect({ kind: change.kind, rowCount }).toEqual({ kind: change.kind, rowCount: 1 });
}

/** Null also for what was not sent. */
function texts(row: Tuple): (string | null)[] {
  return row.values().map((value) => (Buffer.isBuffer(value) ? value.toString() : null));
}
