import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import {
  FlexliftError,
  type BeginCutoverStep,
  type BegunCutover,
  type CutoverStep,
  type FenceStep,
  type MigrationRequest,
  type UndoneCutover,
} from '../contract';
import { quoteQualified } from '../postgres/connect';
import { copiedInAttempt, LARGE_OBJECTS } from '../postgres/copy';
import { liftFence, raiseFence } from '../postgres/fence';
import { beginCutover, isReplicaRoleAllowed, withCutover } from '../postgres/ledger';
import { catalogAtDump, driftSince, unpublishedTables } from '../postgres/prove';
import { preparedTransactions, restoreTargetIdentities } from '../postgres/replicate/source';
import { runLate, undoLate } from '../postgres/schema';
import { driftOptions } from './apply-changes';
import { entryOptions } from './run-entries';
import type { Run } from './support/run';

/** How long the applier may take to come close enough. Milliseconds. */
const LAG_PATIENCE = 20_000;
const LAG_INTERVAL = 250;

/** Counts the attempt, then refuses it where it could not succeed as things stand: nothing was fenced then. */
export async function beginCutoverStep(
  { request, database, maxLagBytes }: BeginCutoverStep,
  run: Run,
): Promise<BegunCutover> {
  return await run.session('target', database, async (target) => {
    const attempt = await beginCutover(target, run.identity);
    await refuseUnfitTables(target);
    await run.session('source', database, async (source) => {
      await refuseLag(source, target, maxLagBytes, run.signal);
      await refuseDrift(source, target, request);
      await refusePreparedTransactions(source);
    });
    return { attempt };
  });
}

async function refuseUnfitTables(target: Client): Promise<void> {
  const { rows } = await target.query<{ schema_name: string; table_name: string; stream_state: string }>(
    `SELECT schema_name, table_name, stream_state FROM flexlift.table_load
      WHERE stream_state <> 'applied' ORDER BY 1, 2`,
  );
  const [first] = rows;
  if (first === undefined) return;
  const names = rows.slice(0, 5).map((row) => quoteQualified(row.schema_name, row.table_name));
  throw refused(
    first.stream_state === 'stopped'
      ? `The changes of ${rows.length} tables are stopped or still to be caught up with: ${names.join(', ')}.`
      : `${rows.length} tables are being copied anew: ${names.join(', ')}.`,
    'Copy stopped tables anew with flexlift recopy, and cut over when all are caught up.',
  );
}

/** A quiet database hears of the others' WAL now and then only: it is given a moment. */
async function refuseLag(source: Client, target: Client, maxLagBytes: number, signal: AbortSignal) {
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

async function refuseDrift(source: Client, target: Client, request: MigrationRequest): Promise<void> {
  const dumped = await catalogAtDump(target);
  const [first, ...others] = [
    ...(dumped === undefined ? [] : await driftSince({ source, dumped, ...driftOptions(request) })),
    ...(await unpublishedTables({ source, target, migrationId: request.migrationId })),
  ];
  if (first === undefined) return;
  throw new FlexliftError({
    code: 'SchemaDrift',
    sentence: `The source's schema changed since it was dumped: ${first.object}: ${first.message}${others.length > 0 ? ` And ${others.length} more.` : ''}`,
    remedy: 'Make the same change on the target and accept it with flexlift resume --accept-drift.',
    side: 'source',
  });
}

async function refusePreparedTransactions(source: Client): Promise<void> {
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

/** Under the attempt's hold: what is late of an attempt that was called off raises no fence. */
export async function raiseFenceStep(step: FenceStep, run: Run): Promise<void> {
  const { request, database, fence, attempt } = step;
  await run.session('target', database, (target) =>
    withCutover(target, run.identity, attempt, () =>
      raiseFence({
        source: run.endpoint('source'),
        database,
        migrationId: request.migrationId,
        mode: fence,
        signal: run.signal,
        onProgress: (what) => run.progress({ what }),
      }),
    ),
  );
}

export async function liftFenceStep({ request, database }: CutoverStep, run: Run): Promise<void> {
  await run.session('source', database, (source) => liftFence(source, request.migrationId));
}

export async function runLateStep({ database, attempt }: CutoverStep, run: Run): Promise<void> {
  const { identity, signal } = run;
  // what the source has only while it is replicated came with its schema
  await restoreTargetIdentities({
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database,
    identity,
    signal,
  });
  await run.session('target', database, (client) => runLate({ client, attempt, ...entryOptions(run) }));
}

/** What was made for a cutover that was called off would act on the changes to come: triggers fire, rules rewrite. */
export async function undoCutoverStep(step: CutoverStep, run: Run): Promise<UndoneCutover> {
  const { database, attempt } = step;
  const copied = await run.session('target', database, async (client) => {
    const foreignKeys = !(await isReplicaRoleAllowed(client));
    await undoLate({ client, attempt, foreignKeys, ...entryOptions(run) });
    return await copiedInAttempt(client, attempt);
  });
  // from now on nothing can raise it for this attempt; until now something late could have
  await liftFenceStep(step, run);
  return { copiedAnew: copied.filter((name) => name !== LARGE_OBJECTS) };
}
