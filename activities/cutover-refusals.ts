import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { enumerate, FlexliftError, type Difference, type MigrationRequest } from '../contract';
import { quoteQualified } from '../postgres/connect';
import { IS_UNCOPIED } from '../postgres/ledger';
import {
  catalogAtDump,
  driftSince,
  hasCatalogMoved,
  leftToCompare,
  unpublishedTables,
  type DriftOptions,
  type LeftToCompareArguments,
} from '../postgres/prove';
import { preparedTransactions } from '../postgres/replicate/source';

/** How long the applier may take to come close enough. Milliseconds. */
const LAG_PATIENCE = 20_000;
const LAG_INTERVAL = 250;

/**
 * What keeps from a cutover though every change that came is applied; looked at again behind the fence, for it may have
 * happened since, and where nothing is compared nothing else would tell.
 */
export async function refuseUnfit(source: Client, target: Client, request: MigrationRequest): Promise<void> {
  await refuseUnfitTables(target);
  await refuseAlteredPublications(source, target, request);
  // what the comparison of the catalogs finds need not be read twice
  if (!request.compare) await refuseDrift(source, target, request);
}

/** Whoever may write in spite of the fence may alter definitions, too, and no marker tells of them. */
export async function refuseMovedCatalog(source: Client, target: Client, attempt: number): Promise<void> {
  if (!(await hasCatalogMoved(source, target, attempt))) return;
  throw refused(
    "The source's definitions have changed since they were compared behind the fence.",
    'See who alters the source in spite of the fence, and cut over again.',
  );
}

export async function refuseUnfitTables(target: Client): Promise<void> {
  const { rows } = await target.query<{ schema_name: string; table_name: string; state: string }>(
    `SELECT schema_name, table_name, state
       FROM (SELECT schema_name, table_name,
                    CASE WHEN stream_state = 'applied' AND ${IS_UNCOPIED} THEN 'uncopied' ELSE stream_state END AS state
               FROM flexlift.table_load t) tables
      WHERE state <> 'applied' ORDER BY state <> 'uncopied', 1, 2`,
  );
  const [first] = rows;
  if (first === undefined) return;
  const names = rows.slice(0, 5).map((row) => quoteQualified(row.schema_name, row.table_name));
  throw refused(
    `${unfitness(first.state, rows.length)}: ${names.join(', ')}.`,
    first.state === 'uncopied'
      ? 'Copy them with flexlift recopy, or wait for one that is under way, and cut over when all are caught up.'
      : 'Copy stopped tables anew with flexlift recopy, and cut over when all are caught up.',
  );
}

function unfitness(state: string, tables: number): string {
  if (state === 'uncopied') return `${tables} tables are not copied or still to be caught up with`;
  if (state === 'stopped') return `The changes of ${tables} tables are stopped or still to be caught up with`;
  return `${tables} tables are being copied anew`;
}

/** A quiet database hears of the others' WAL now and then only: it is given a moment. */
export async function refuseLag(
  source: Client,
  target: Client,
  maxLagBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + LAG_PATIENCE;
  for (;;) {
    const lag = await lagBytes(source, target);
    if (lag <= maxLagBytes) return;
    if (performance.now() > deadline) {
      throw refused(
        `The target is ${lag} bytes behind the source, more than the ${maxLagBytes} allowed.`,
        'Wait until it has caught up, or allow more with --max-lag.',
      );
    }
    await pause(LAG_INTERVAL, undefined, { signal });
  }
}

async function lagBytes(source: Client, target: Client): Promise<number> {
  const applied = await target.query<{ lsn: string }>('SELECT lsn FROM flexlift.stream');
  const { rows } = await source.query<{ lag: string }>(
    'SELECT pg_catalog.pg_current_wal_flush_lsn() - $1::pg_catalog.pg_lsn AS lag',
    [applied.rows[0]?.lsn],
  );
  return Number(rows[0]?.lag);
}

/** Nobody knows for how long the application would wait. */
export async function refuseLongCompare(
  args: LeftToCompareArguments,
  { maxCompareBytes, postponed }: { maxCompareBytes: number; postponed?: string },
): Promise<void> {
  const { bytes, size, what } = await leftToCompare(args);
  if (bytes <= maxCompareBytes) return;
  const why = postponed === undefined ? '' : ` ${postponed}`;
  throw refused(
    `${size} (${bytes} bytes) are left to be compared while the application waits, more than the ${maxCompareBytes} bytes allowed: ${enumerate(what)}.${why}`,
    'Cut over when the tables are proven; or, where that cannot be, allow the longer wait with --max-compare.',
  );
}

export async function refuseDrift(source: Client, target: Client, request: MigrationRequest): Promise<void> {
  const dumped = await catalogAtDump(target);
  if (dumped === undefined) return;
  refuseDifferences(
    await driftSince({ source, dumped, ...driftOptions(request) }),
    'Make the same change on the target and accept it with flexlift resume --accept-drift.',
  );
}

export async function refuseAlteredPublications(
  source: Client,
  target: Client,
  { migrationId }: MigrationRequest,
): Promise<void> {
  refuseDifferences(
    await unpublishedTables({ source, target, migrationId }),
    'Nothing tells which changes are lost: the tables have to be copied anew.',
  );
}

function refuseDifferences([first, ...others]: Difference[], remedy: string): void {
  if (first === undefined) return;
  throw new FlexliftError({
    code: 'SchemaDrift',
    sentence: `The source's schema changed since it was dumped: ${first.object}: ${first.message}${others.length > 0 ? ` And ${others.length} more.` : ''}`,
    remedy,
    side: 'source',
  });
}

export async function refusePreparedTransactions(source: Client): Promise<void> {
  const gids = await preparedTransactions(source);
  if (gids.length === 0) return;
  throw refused(
    `The source holds prepared transactions: ${gids.slice(0, 5).join(', ')}.`,
    'Commit or roll them back.',
  );
}

function refused(sentence: string, remedy: string): FlexliftError {
  return new FlexliftError({ code: 'CutoverRefused', sentence, remedy });
}

/** What is not migrated cannot drift. */
export function driftOptions({ noOwner, noPrivileges }: MigrationRequest): DriftOptions {
  return { ignoreOwners: noOwner, ignorePrivileges: noPrivileges };
}
