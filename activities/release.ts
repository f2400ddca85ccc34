import type { Client } from 'pg';
import {
  FlexliftError,
  REPORTED_TABLES,
  type Amounts,
  type ReleaseResult,
  type ReleaseStep,
  type TableReport,
} from '../contract';
import { releaseTargetDatabase } from '../postgres/database';
import { holdCutover, readLedger, tableReports } from '../postgres/ledger';
import { refuseUnfitTables } from './cutover-refusals';
import { endReaders } from './support/readers';
import type { Run } from './support/run';

/**
 * Hands the target to its users: the ledger shrinks to its one row, which keeps the whole report. An attempt after the
 * release answers from that row.
 */
export async function releaseStep(
  { database, differences, attempt }: ReleaseStep,
  run: Run,
): Promise<ReleaseResult> {
  const { identity, signal, request } = run;
  const target = run.endpoint('target');
  const isRepeated = attempt !== undefined && run.attempt > 1;
  const tables = await unlessReleasedUnseen(isRepeated, () =>
    run.session('target', database, async (client) => {
      await endReaders(client, request.migrationId);
      const ledger = await readLedger(client);
      const released = ledger?.state === 'released' && ledger.migration_id === identity.migrationId;
      return released ? (ledger.report?.tables ?? []) : await tableReports(client);
    }),
  );
  const { noOwner, noPrivileges } = request;
  const report = { tables, differences };
  const lastCheck = async (client: Client) => {
    await holdCutover(client, attempt);
    await refuseUnfitTables(client);
  };
  await releaseTargetDatabase({
    target,
    database,
    identity,
    noOwner,
    noPrivileges,
    report,
    lastCheck,
    signal,
  });
  return { tables: reported(tables), tablesTotal: tables.length, copied: totals(tables) };
}

/**
 * Looks whether an earlier attempt, whose answer was lost, has released the target. Until it can be told, nobody may write
 * to the source again: a refusal that would else call the cutover off is waited out.
 *
 * @param isRepeated of a cutover, and not its first attempt
 * @throws FlexliftError ReleaseUnknown
 */
async function unlessReleasedUnseen<T>(isRepeated: boolean, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    const isRefusal = error instanceof FlexliftError && error.failureClass === 'permanent';
    if (!isRepeated || !isRefusal) throw error;
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
