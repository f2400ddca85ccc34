import Table from 'cli-table3';
import type { createColors } from 'picocolors';
import type { DatabaseStatus, Difference, Finding, MigrationStatus, TableReport } from '../../client';
import { formatBytes, formatCount, formatName, formatSeconds } from '../format';
import { failureLine } from '../output';
import { onlineLines, phaseTimes } from './online-text';
import type { MigrationReport } from './report';

type Colors = ReturnType<typeof createColors>;

/** The report for a person. */
export function reportText({ status, temporal }: MigrationReport, colors: Colors): string {
  return [
    headline(status, colors),
    ...(status.failure === undefined ? [] : [failureLine(status.failure)]),
    ...findingLines(status.findings, colors),
    ...status.databases.filter(wasBegun).flatMap((database) => ['', ...databaseSection(database, colors)]),
    ...(status.databases.length > 1 ? ['', totalLine(status)] : []),
    '',
    `Workflow: ${temporal.workflowId} in namespace ${temporal.namespace} of ${temporal.address}`,
    ...(temporal.webUi === undefined ? [] : [`Web UI:   ${temporal.webUi}`]),
  ].join('\n');
}

function headline(status: MigrationStatus, colors: Colors): string {
  const { name, source, target, state } = status;
  const good = state === 'Succeeded';
  const paint = good ? colors.green : state === 'SucceededUnverified' ? colors.yellow : colors.red;
  const proof = good && status.option !== 'Validate' ? ': the target equals the source' : '';
  return `${colors.bold(name)}: ${source} to ${target}: ${paint(state)}${proof}, ${duration(status)}`;
}

/** A migration that ends with its validation has databases that it never came to. */
function wasBegun({ startedAt, state }: DatabaseStatus): boolean {
  return startedAt !== undefined || state !== 'InProgress';
}

function databaseSection(database: DatabaseStatus, colors: Colors): string[] {
  const name = formatName(database.database);
  const failure = database.failure === undefined ? [] : [failureLine(database.failure)];
  const reached = database.state === 'Failed' ? ` in ${database.phase}` : '';
  return [
    `${colors.bold(`Database ${name}`)}: ${database.state}${reached}, ${duration(database)}`,
    ...failure,
    ...(database.tables === undefined || database.tables.length === 0
      ? []
      : [tableOfTables(database.tables, colors), ...moreTables(database)]),
    ...differenceLines(database.differences, colors),
    ...notComparedLine(database, colors),
    ...phaseLine(database),
    ...onlineLines(database, colors),
  ];
}

function tableOfTables(tables: TableReport[], colors: Colors): string {
  const table = new Table({
    head: ['Table', 'Rows', 'Bytes', 'Seconds', 'Source checksum', 'Target checksum', 'Equal'],
    colAligns: ['left', 'right', 'right', 'right', 'left', 'left', 'left'],
    style: { head: [], border: [], compact: true },
    chars: BARE,
  });
  for (const { table: name, rows, bytes, seconds, sourceChecksum, targetChecksum, equal } of tables) {
    table.push([
      formatName(name),
      formatCount(rows),
      formatBytes(bytes),
      seconds.toFixed(1),
      sourceChecksum ?? '-',
      targetChecksum ?? '-',
      verdict(equal, colors),
    ]);
  }
  return table.toString();
}

/** Columns only: a report is read by `grep` and `awk` too. */
export const BARE = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' ' },
};

function verdict(equal: boolean | undefined, colors: Colors): string {
  if (equal === undefined) return 'not compared';
  return equal ? colors.green('yes') : colors.red('NO');
}

function moreTables({ tables = [], tablesTotal = tables.length }: DatabaseStatus): string[] {
  const more = tablesTotal - tables.length;
  return more > 0 ? [`and ${formatCount(more)} smaller tables, all of them equal or not compared`] : [];
}

export function differenceLines(differences: Difference[], colors: Colors): string[] {
  return differences.flatMap(({ kind, object, message, keys = [] }) => [
    `${colors.red('Difference')} (${kind}) in ${formatName(object)}: ${formatName(message)}`,
    ...(keys.length === 0 ? [] : [`  first keys: ${keys.map(formatName).join('; ')}`]),
  ]);
}

function notComparedLine({ notCompared = [] }: DatabaseStatus, colors: Colors): string[] {
  if (notCompared.length === 0) return [];
  const names = notCompared.map(formatName).join(', ');
  return [`${colors.yellow('Not compared')}, for their rows may differ: materialized views ${names}`];
}

export function findingLines(findings: Finding[], colors: Colors): string[] {
  return findings
    .filter(({ state }) => state !== 'Succeeded')
    .map(({ state, rule, database, message, remedy }) => {
      const paint = state === 'Failed' ? colors.red : colors.yellow;
      const where = database === undefined ? '' : ` in ${formatName(database)}`;
      return `${paint(state)} (${rule}${where}): ${formatName(message)}${remedy === undefined ? '' : ` ${formatName(remedy)}`}`;
    });
}

function phaseLine({ seconds }: DatabaseStatus): string[] {
  const phases = phaseTimes(seconds);
  return phases === '' ? [] : [`Phases: ${phases}`];
}

function totalLine({ databases }: MigrationStatus): string {
  const total = (pick: (database: DatabaseStatus) => number) =>
    databases.reduce((sum, one) => sum + pick(one), 0);
  const tables = total((database) => database.tablesTotal ?? database.copied.tables);
  const rows = total((database) => database.copied.rows);
  const bytes = total((database) => database.copied.bytes);
  return (
    `Total: ${databases.length} databases, ${formatCount(tables)} tables, ` +
    `${formatCount(rows)} rows, ${formatBytes(bytes)}`
  );
}

function duration({ startedAt, endedAt }: { startedAt?: string; endedAt?: string }): string {
  if (startedAt === undefined) return 'not begun';
  const end = endedAt === undefined ? Date.now() : Date.parse(endedAt);
  return formatSeconds(Math.max(0, (end - Date.parse(startedAt)) / 1_000));
}
