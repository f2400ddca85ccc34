import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { FlexliftError, type FailureCode } from '../../../contract';
import { quoteIdentifier } from '../../../postgres/connect';
import { parseLsn } from '../../../postgres/replicate/lsn';
import {
  openChangeStream,
  UNCHANGED,
  type ChangeStream,
  type ChangeStreamArguments,
  type StreamEvent,
  type Tuple,
} from '../../../postgres/replicate/pgoutput';
import {
  createTestDatabase,
  dropTestDatabase,
  testEndpoint,
  withSession,
  type Major,
} from '../../support/servers';

export const PREFIX = 'flexlift:stream-test:';

/** A database with a publication of all its tables and a slot. */
export class StreamSource {
  readonly slot = `stream_test_${randomBytes(4).toString('hex')}`;
  readonly publication = `pub ' "ß`;
  private readonly streams: ChangeStream[] = [];
  private readonly stop = new AbortController();

  private constructor(
    readonly major: Major,
    readonly database: string,
  ) {}

  static async create(major: Major, setup = '', options = ''): Promise<StreamSource> {
    const source = new StreamSource(major, await createTestDatabase(major, 'stream', options));
    await source.sql(setup);
    await source.sql(`CREATE PUBLICATION ${quoteIdentifier(source.publication)} FOR ALL TABLES`);
    await source.createSlot();
    return source;
  }

  async createSlot(): Promise<void> {
    await this.sql(`SELECT pg_create_logical_replication_slot('${this.slot}', 'pgoutput')`);
  }

  async drop(): Promise<void> {
    await Promise.all(this.streams.map((stream) => stream.close()));
    await this.session(async (client) => {
      await client.query(
        `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active`,
        [this.slot],
      );
      const dropped = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1`;
      for (let attempt = 0; attempt < 50; attempt++) {
        const done = await client.query(dropped, [this.slot]).then(
          () => true,
          () => false,
        );
        if (done) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    });
    await dropTestDatabase(this.major, this.database);
  }

  async session<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return await withSession(this.major, this.database, work);
  }

  async sql(text: string): Promise<void> {
    await this.session((client) => client.query(text));
  }

  arguments(change: Partial<ChangeStreamArguments> = {}): Omit<ChangeStreamArguments, 'session'> {
    return {
      endpoint: testEndpoint(this.major, 'source', `${PREFIX}1`),
      database: this.database,
      slot: this.slot,
      publications: [this.publication],
      from: 0n,
      signal: this.stop.signal,
      predecessorPrefix: PREFIX,
      ...change,
    };
  }

  /** From what the slot has confirmed, unless told otherwise. */
  async open(change: Partial<ChangeStreamArguments> = {}): Promise<ChangeStream> {
    const from = change.from ?? (await this.confirmed());
    const stream = await this.session((session) =>
      openChangeStream({ ...this.arguments({ ...change, from }), session }),
    );
    this.streams.push(stream);
    return stream;
  }

  async confirmed(): Promise<bigint> {
    return parseLsn(await this.slotColumn('confirmed_flush_lsn'));
  }

  async isActive(): Promise<boolean> {
    return (await this.slotColumn('active')) === 'true';
  }

  private async slotColumn(column: string): Promise<string> {
    return await this.session(async (client) => {
      const { rows } = await client.query<{ value: string }>(
        `SELECT ${column}::text AS value FROM pg_replication_slots WHERE slot_name = $1`,
        [this.slot],
      );
      return rows[0]?.value ?? 'none';
    });
  }

  async walEnd(): Promise<bigint> {
    return await this.session(async (client) => {
      const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
      return parseLsn(rows[0]?.lsn ?? '');
    });
  }
}

/** Reads until `enough` says so of all events so far. */
export async function readUntil(
  stream: ChangeStream,
  enough: (events: StreamEvent[]) => boolean,
  timeout = 20_000,
): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  const end = Date.now() + timeout;
  while (!enough(events)) {
    if (Date.now() > end) throw new Error(`in vain, after ${events.map(describe).join('; ')}`);
    events.push(...(await stream.read(500)));
  }
  return events;
}

/** Reads so many transactions with a change; empty ones, which servers before 15 send too, and positions are left out. */
export async function readTransactions(stream: ChangeStream, count: number): Promise<StreamEvent[][]> {
  const transactions = (events: StreamEvent[]): StreamEvent[][] => {
    const found: StreamEvent[][] = [];
    for (const event of events) {
      if (event.kind === 'begin') found.push([]);
      if (event.kind !== 'position') found.at(-1)?.push(event);
    }
    return found.filter((events) => events.length > 2 && events.at(-1)?.kind === 'commit');
  };
  return transactions(await readUntil(stream, (events) => transactions(events).length >= count));
}

/** The changes of one transaction, each as one readable line. */
export function changesOf(events: StreamEvent[] | undefined): string[] {
  return (events ?? []).filter(({ kind }) => kind !== 'begin' && kind !== 'commit').map(describe);
}

export function describe(event: StreamEvent): string {
  switch (event.kind) {
    case 'insert':
      return `insert ${event.relation.name} ${text(event.row)}`;
    case 'update': {
      const old = event.old === undefined ? '' : `${event.old.kind} ${text(event.old.row)} `;
      return `update ${event.relation.name} ${old}-> ${text(event.row)}`;
    }
    case 'delete':
      return `delete ${event.relation.name} ${event.old.kind} ${text(event.old.row)}`;
    case 'truncate':
      return `truncate ${event.relations.map(({ name }) => name).join(',')} ${event.cascade} ${event.restartIdentity}`;
    case 'message':
      return `message ${event.transactional} ${event.prefix} ${event.content.toString()}`;
    default:
      return event.kind;
  }
}

export function text(row: Tuple): string {
  const values = row
    .values()
    .map((value) => (value === null ? 'NULL' : value === UNCHANGED ? 'UNCHANGED' : value.toString()));
  return `(${values.join(',')})`;
}

/** How work fails; anything but a failure of ours is thrown. */
export async function failureOf(work: Promise<unknown>): Promise<FlexliftError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (error instanceof FlexliftError) return error;
  throw new Error('no failure of ours', { cause: error });
}

/** Reads on until the stream fails. */
export async function endOf(stream: ChangeStream): Promise<FlexliftError> {
  return await failureOf(readUntil(stream, () => false));
}

/** Prints what the failure says where its code is another. */
export function failureWith(code: FailureCode): FlexliftError {
  return expect.objectContaining({ code }) as FlexliftError;
}
