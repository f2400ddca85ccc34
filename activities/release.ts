import {
  FlexliftError,
  REPORTED_TABLES,
  type Amounts,
  type ReleaseResult,
  type ReleaseStep,
  type TableReport,
} from '../contract';
import { refuseEmptied, refuseEmptiedSince } from '../postgres/copy';
import { releaseTargetDatabase } from '../postgres/database';
import { holdCutover, readLedger, tableReports } from '../postgres/ledger';
import { refuseUnfitTables } from './cutover-refusals';
import { endReaders } from './support/readers';
import type { Run } from './support/run';

/**
 * Hands the target to its users: the ledger shrinks to its one row, which keeps the whole report. An attempt after the
 * release answers from that row.
 */
export async function releaseStep(step: ReleaseStep, run: Run): Promise<ReleaseResult> {
  // of a cutover, and not its first attempt: one before it may have released the target, and its answer was lost
  let mayBeReleased = step.attempt !== undefined && run.attempt > 1;
  const onOpen = () => void (mayBeReleased = false);
  const tables = await unlessReleasedUnseen(
    () => mayBeReleased,
    () => release(step, run, onOpen),
  );
  return { tables: reported(tables), tablesTotal: tables.length, copied: totals(tables) };
}

/**
 * @param onOpen called when the ledger is locked, and not released
 * @returns the report of this attempt, or of the one that released it
 */
async function release(
  { database, differences, attempt }: ReleaseStep,
  run: Run,
  onOpen: () => void,
): Promise<TableReport[]> {
  const { identity, signal, request } = run;
  const { isReleased, tables } = await run.session('target', database, async (client) => {
    await endReaders(client, request.migrationId);
    const ledger = await readLedger(client);
    return ledger?.state === 'released' && ledger.migration_id === identity.migrationId
      ? { isReleased: true, tables: ledger.report?.tables ?? [] }
      : { isReleased: false, tables: await tableReports(client) };
  });
  if (isReleased) return tables;
  const { noOwner, noPrivileges } = request;
  await releaseTargetDatabase({
    target: run.endpoint('target'),
    database,
    identity,
    noOwner,
    noPrivileges,
    report: { tables, differences },
    lastCheck: async (client) => {
      onOpen();
      await holdCutover(client, attempt);
      await refuseUnfitTables(client);
      await (attempt === undefined ? refuseEmptied(client) : refuseEmptiedSince(client, attempt));
    },
    signal,
  });
  return tables;
}

/**
 * Until it can be told whether the target is released, nobody may write to the source again: a refusal that would else call
 * the cutover off is waited out.
 *
 * @throws FlexliftError ReleaseUnknown
 */
async function unlessReleasedUnseen<T>(mayBeReleased: () => boolean, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isRefusal = error instanceof FlexliftError && error.failureClass === 'permanent';
    if (!isRefusal || !mayBeReleased()) throw error;
    const { sentence, remedy, sqlState, ...place } = error.fields;
    throw new FlexliftError(
      {
        ...place,
        code: 'ReleaseUnknown',
        sentence: `The target may be released already, and does not say so: ${sentence}`,
        remedy: `${remedy} It is tried again, and the source stays fenced until then; of a target that is gone for good see docs/online.md.`,
        sqlState,
      },
      { cause: error },
    );
  }
}

/** The largest, and all that differ. */
function reported(tables: TableReport[]): TableReport[] {
  const differing = tables.filter((table) => table.equal === false);
  const others = tables.filter((table) => table.equal !== false);
  return [...differing, ...others].slice(0, REPORTED_TABLES);
}

function totals(tables: TableReport[]): Amounts {
  return {
    tables: tables.length,
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    bytes: tables.reduce((sum, table) => sum + table.bytes, 0),
  };
}
