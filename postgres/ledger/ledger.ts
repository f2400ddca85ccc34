import { DatabaseError, type Client, type QueryResultRow } from 'pg';
import { FlexliftError, type TableReport } from '../../contract';
import { LEDGER_DDL, LEDGER_SCHEMA_VERSION } from './ledger-schema';
import { takeOver } from './take-over';
import { inTransaction } from './transaction';

/** Whose ledger a piece of work expects to find. */
export interface LedgerIdentity {
  migrationId: string;
  generation: number;
}

export interface LedgerRow {
  migration_id: string;
  generation: number;
  schema_version: number;
  state: 'open' | 'released';
  database_created: boolean;
  /** Kept at the release. */
  report: { tables?: TableReport[] } | null;
}

/** Reads the row without a lock; `undefined` where the database holds no ledger. */
export async function readLedger(client: Client): Promise<LedgerRow | undefined> {
  if (!(await hasLedger(client))) return undefined;
  const ledger = await client.query<LedgerRow>('SELECT * FROM flexlift.migration');
  return ledger.rows[0];
}

async function hasLedger(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT pg_catalog.to_regclass('flexlift.migration') IS NOT NULL AS found`,
  );
  return rows[0]?.found === true;
}

/**
 * Creates the ledger, once, in one transaction. Where it stands already it must be ours and open; a higher generation
 * takes it over, so that whatever is left of the run before is refused from then on.
 *
 * @throws FlexliftError LedgerForeign, LedgerReleased
 */
export async function createLedger(
  client: Client,
  identity: LedgerIdentity,
  options: { databaseCreated: boolean },
): Promise<void> {
  await inTransaction(client, async () => {
    await client.query(`SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('flexlift ledger'))`);
    const existing = await readLedger(client);
    if (existing === undefined) {
      for (const statement of LEDGER_DDL) await client.query(statement);
      await client.query(
        `INSERT INTO flexlift.migration (migration_id, generation, schema_version, state, database_created)
         VALUES ($1, $2, $3, 'open', $4)`,
        [identity.migrationId, identity.generation, LEDGER_SCHEMA_VERSION, options.databaseCreated],
      );
      return;
    }
    if (existing.migration_id === identity.migrationId && existing.generation < identity.generation) {
      await takeOver(client, identity.generation);
    }
    await lockLedger(client, identity, 'SHARE');
  });
}

/**
 * Runs `work` in one transaction that holds the ledger's row: whatever it writes is committed together with what it
 * notes in the ledger, and never after the release.
 *
 * @param queries of the ledger, answered under that lock and in its round trip; `work` is given the rows of each
 * @throws FlexliftError LedgerForeign, LedgerReleased
 */
export async function withLedger<T>(
  client: Client,
  identity: LedgerIdentity,
  work: (answers: QueryResultRow[][]) => Promise<T>,
  queries: string[] = [],
): Promise<T> {
  const checked = async ([ledger, ...answers]: QueryResultRow[][]) => {
    checkLedger(ledger?.[0] as LedgerRow | undefined, identity, 'SHARE');
    return await work(answers);
  };
  try {
    return await inTransaction(client, checked, 'BEGIN', [lockOfLedger('SHARE'), ...queries]);
  } catch (error) {
    // a ledger that is another one than it should be, or none, may lack what was asked of it
    const isLacking =
      error instanceof DatabaseError && [UNDEFINED_TABLE, UNDEFINED_COLUMN].includes(error.code ?? '');
    if (isLacking) await inTransaction(client, () => lockLedger(client, identity, 'SHARE'));
    throw error;
  }
}

/** SQLSTATEs. */
const UNDEFINED_TABLE = '42P01';
const UNDEFINED_COLUMN = '42703';

/** What {@link once} does at most once. */
export interface LedgerStep {
  kind: string;
  key: string;
}

export async function isDone(client: Client, { kind, key }: LedgerStep): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM flexlift.step WHERE kind = $1 AND key = $2', [
    kind,
    key,
  ]);
  return rowCount === 1;
}

/**
 * Does a piece of work at most once: its row is taken first, and with it the lock, then `work` runs, then both are
 * committed. A second attempt waits for the first one's end and then finds the row.
 *
 * @returns false where it had been done before.
 */
export async function once(
  client: Client,
  identity: LedgerIdentity,
  step: LedgerStep,
  work: () => Promise<unknown>,
): Promise<boolean> {
  return await withLedger(client, identity, async () => {
    const { rowCount } = await client.query(
      'INSERT INTO flexlift.step (kind, key) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [step.kind, step.key],
    );
    if (rowCount === 0) return false;
    await work();
    return true;
  });
}

/**
 * {@link once} for what somebody asked for.
 *
 * @param step.order absent: each time, in a history of an earlier version
 */
export async function onceForOrder(
  client: Client,
  identity: LedgerIdentity,
  { kind, order }: { kind: string; order: string | undefined },
  work: () => Promise<unknown>,
): Promise<void> {
  if (order === undefined) await withLedger(client, identity, work);
  else await once(client, identity, { kind, key: order }, work);
}

/**
 * The migration's last write: the ledger shrinks to its one row, `released`, which refuses every late attempt.
 * Repeating it is harmless.
 *
 * @param lastWork what has to be committed together with the release; runs once, while the ledger is still whole.
 */
export async function releaseLedger(
  client: Client,
  identity: LedgerIdentity,
  report: unknown,
  lastWork: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await inTransaction(client, async () => {
    const state = await lockLedger(client, identity, 'UPDATE');
    if (state === 'released') return;
    await lastWork();
    await silenceTriggers(client);
    await client.query(
      `UPDATE flexlift.migration SET state = 'released', released_at = pg_catalog.now(), report = $1`,
      [JSON.stringify(report)],
    );
    await client.query(
      `DROP TABLE flexlift.part, flexlift.table_load, flexlift.large_object_batch, flexlift.scope,
                  flexlift.archive_entry, flexlift.step, flexlift.stream, flexlift.spool, flexlift.changed_rows,
                  flexlift.proof, flexlift.proof_request`,
    );
    // made by a cutover that needs it
    await client.query('DROP TABLE IF EXISTS flexlift.unlogged');
  });
}

/**
 * For the rest of the transaction, where that is allowed: an event trigger that came with the schema may forbid what the
 * migration does itself, which is not what it means; and a foreign key may ask for rows that come later.
 */
export async function silenceTriggers(client: Client): Promise<void> {
  await client.query('SAVEPOINT before_setting');
  try {
    await client.query('SET LOCAL session_replication_role = replica');
  } catch {
    // without that right there is no event trigger either: only a superuser makes one
    await client.query('ROLLBACK TO SAVEPOINT before_setting');
  }
}

/** Takes the row's lock for the rest of the transaction and checks that it is ours, and open unless to be updated. */
export async function lockLedger(
  client: Client,
  identity: LedgerIdentity,
  strength: LockStrength,
): Promise<LedgerRow['state']> {
  if (!(await hasLedger(client))) throw noLedger();
  const { rows } = await client.query<LedgerRow>(lockOfLedger(strength));
  return checkLedger(rows[0], identity, strength);
}

type LockStrength = 'SHARE' | 'UPDATE';

function lockOfLedger(strength: LockStrength): string {
  return `SELECT * FROM flexlift.migration FOR ${strength}`;
}

function checkLedger(
  row: LedgerRow | undefined,
  identity: LedgerIdentity,
  strength: LockStrength,
): LedgerRow['state'] {
  if (row === undefined) throw foreign('The ledger in the target database is empty.');
  if (row.schema_version > LEDGER_SCHEMA_VERSION) {
    throw foreign(
      `The ledger has version ${row.schema_version}, newer than this worker's ${LEDGER_SCHEMA_VERSION}.`,
    );
  }
  if (row.schema_version < LEDGER_SCHEMA_VERSION && row.state === 'open') {
    throw foreign(
      `The ledger has version ${row.schema_version}, older than this worker's ${LEDGER_SCHEMA_VERSION}.`,
    );
  }
  if (row.migration_id !== identity.migrationId) {
    throw foreign(
      `The target database belongs to migration ${row.migration_id}, not to ${identity.migrationId}.`,
    );
  }
  if (row.state === 'released' && strength === 'SHARE') {
    throw new FlexliftError({
      code: 'LedgerReleased',
      sentence:
        'The target database was released to its users; this migration writes nothing to it any more.',
      remedy: 'Start a new migration, with --overwrite if the target is to be replaced.',
    });
  }
  if (row.generation !== identity.generation) {
    throw foreign(
      `The migration is in its run ${row.generation}; this is work of run ${identity.generation}.`,
    );
  }
  return row.state;
}

function noLedger(): FlexliftError {
  return foreign('The target database holds no ledger of this migration any more.');
}

function foreign(sentence: string): FlexliftError {
  return new FlexliftError({
    code: 'LedgerForeign',
    sentence,
    remedy: 'Cancel this migration, or start a new one with --overwrite.',
  });
}
