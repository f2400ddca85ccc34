import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { quoteLiteral, quoteQualified, withConnection } from '../../../postgres/connect';
import { checksumTable, describeTable, type ColumnDescription } from '../../../postgres/compare';
import type { TableChecksum } from '../../../postgres/ledger';
import { PgoutputDecoder, relationsIn, type Change } from '../../../postgres/replicate/pgoutput';
import {
  TargetTables,
  writeChanges,
  type AppliedIdentity,
  type Written,
} from '../../../postgres/replicate/apply';
import {
  createTestDatabase,
  dropTestDatabase,
  testEndpoint,
  withSession,
  type Major,
} from '../../support/servers';

/** As the session that reads the stream has them, so that no value depends on the server's. */
const SOURCE_SETTINGS = `SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';
  SET extra_float_digits = 3; SET lc_monetary = 'C'`;

type Sums = Record<string, TableChecksum>;

export const never: AbortSignal = new AbortController().signal;

/**
 * A source with two publications and a slot, a target, and a session on each. What is done to the source reaches the
 * target by {@link catchUp}.
 */
export class WritePair {
  /** By the table's name; `key` where it is not named. */
  identities: Record<string, AppliedIdentity> = {};
  /** What the ledger calls the only table, where it is not what the source calls it now. */
  loadedAs?: string;
  private readonly tables: TargetTables;
  private readonly slot = `flexlift_write_${randomBytes(4).toString('hex')}`;
  private readonly decoder = new PgoutputDecoder();
  private readonly names = new Map<number, string>();
  private readonly descriptions = new Map<string, ColumnDescription[]>();

  private constructor(
    private readonly majors: [Major, Major],
    private readonly databases: [string, string],
    readonly source: Client,
    readonly target: Client,
  ) {
    this.tables = new TargetTables(target);
  }

  /** Runs `work` with a pair that is dropped afterwards, slot and all. */
  static async with<T>(
    majors: [Major, Major],
    work: (pair: WritePair) => Promise<T>,
    options = '',
  ): Promise<T> {
    const [source, target] = majors;
    const databases: [string, string] = [
      await createTestDatabase(source, 'write_s', options),
      await createTestDatabase(target, 'write_t', options),
    ];
    try {
      return await withConnection(testEndpoint(target, 'target'), databases[1], never, async (into) => {
        await into.query('SET session_replication_role = replica');
        return await withSession(source, databases[0], async (from) => {
          await from.query(SOURCE_SETTINGS);
          const pair = new WritePair(majors, databases, from, into);
          try {
            return await work(pair);
          } finally {
            await pair.dropSlot();
          }
        });
      });
    } finally {
      await dropTestDatabase(source, databases[0]);
      await dropTestDatabase(target, databases[1]);
    }
  }

  async both(ddl: string): Promise<void> {
    await this.source.query(ddl);
    await this.onTarget(ddl);
  }

  /** In a session of its own. */
  async onTarget(sql: string): Promise<void> {
    await this.besideTarget((client) => client.query(sql));
  }

  async besideTarget<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return await withSession(this.majors[1], this.databases[1], work);
  }

  /** From now on all tables as they are now are published, by their identities. */
  async begin(): Promise<void> {
    this.descriptions.clear();
    const { rows } = await this.source.query<{ oid: number; schema: string; name: string; identity: string }>(
      `SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relreplident AS identity
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.oid >= 16384 AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')`,
    );
    const lists: Record<'append' | 'others', string[]> = { append: [], others: [] };
    for (const { oid, schema, name, identity } of rows) {
      this.names.set(oid, name);
      if (identity === 'f') this.identities[name] ??= 'full';
      lists[this.identities[name] === 'append' ? 'append' : 'others'].push(quoteQualified(schema, name));
    }
    await this.publish('p_key', lists.others, 'insert, update, delete, truncate');
    await this.publish('p_append', lists.append, 'insert, truncate');
    const { rowCount } = await this.source.query('SELECT FROM pg_replication_slots WHERE slot_name = $1', [
      this.slot,
    ]);
    if (rowCount === 1) return;
    await this.source.query(
      `SELECT pg_create_logical_replication_slot(${quoteLiteral(this.slot)}, 'pgoutput')`,
    );
  }

  private async publish(publication: string, tables: string[], kinds: string): Promise<void> {
    const list = tables.length === 0 ? '' : `FOR TABLE ${tables.map((table) => `ONLY ${table}`).join(', ')}`;
    await this.source.query(
      `DROP PUBLICATION IF EXISTS ${publication};
       CREATE PUBLICATION ${publication} ${list} WITH (publish = '${kinds}')`,
    );
  }

  /** What the slot holds, in its order. */
  async changes(): Promise<Change[]> {
    const { rows } = await this.source.query<{ data: Buffer }>(
      `SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL,
         'proto_version', '1', 'publication_names', 'p_key,p_append')`,
      [this.slot],
    );
    const events = rows.flatMap(({ data }) => this.decoder.decode(data) ?? []);
    return events.filter(
      (event): event is Change =>
        event.kind === 'insert' ||
        event.kind === 'update' ||
        event.kind === 'delete' ||
        event.kind === 'truncate',
    );
  }

  /** Writes in one transaction what the slot holds, in pieces of so many changes. */
  async catchUp(pieceSize = Infinity): Promise<Written[]> {
    const changes = await this.changes();
    const pieces: Change[][] = [];
    for (let start = 0; start < changes.length; start += pieceSize) {
      pieces.push(changes.slice(start, start + pieceSize));
    }
    return await this.inTransaction(async () => {
      const written: Written[] = [];
      for (const piece of pieces) written.push(await this.write(piece, never, written.length > 0));
      return written;
    });
  }

  async write(changes: Change[], signal: AbortSignal = never, isContinued = false): Promise<Written> {
    const { target, tables } = this;
    const sent = new Map([...relationsIn(changes)].map((relation) => [relation.oid, relation]));
    const loaded = (oid: number) => ({
      name: this.loadedAs ?? quoteQualified(sent.get(oid)?.schema ?? '', sent.get(oid)?.name ?? ''),
      identity: this.identities[this.names.get(oid) ?? ''] ?? 'key',
    });
    const isNoted = () => true;
    return await writeChanges({ target, tables, changes, loaded, isNoted, isContinued, signal });
  }

  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    await this.target.query('BEGIN');
    try {
      const result = await work();
      await this.target.query('COMMIT');
      return result;
    } catch (error) {
      await this.target.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** Names a table of changes that are made by hand. */
  knownAs(oid: number, name: string): void {
    this.names.set(oid, name);
  }

  /** Fails where a table's rows differ. @returns how many rows there are */
  async expectEqual(schema = 'public'): Promise<number> {
    const { rows } = await this.source.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = $1::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')`,
      [schema],
    );
    const [expected, found]: [Sums, Sums] = [{}, {}];
    for (const { name } of rows) {
      const table = { schema, name };
      const columns = this.descriptions.get(name) ?? (await describeTable(this.source, schema, name));
      this.descriptions.set(name, columns);
      expected[name] = await checksumTable({ client: this.source, table, columns, signal: never });
      found[name] = await checksumTable({ client: this.target, table, columns, signal: never });
    }
    expect(found).toEqual(expected);
    return Object.values(expected).reduce((sum, each) => sum + Number(each.rows), 0);
  }

  private async dropSlot(): Promise<void> {
    await this.source.query(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
      [this.slot],
    );
  }
}
