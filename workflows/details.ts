import type {
  CutoverReport,
  DatabaseStatus,
  LoadProgress,
  MigrationStatus,
  ReplicationStatus,
} from '../contract';

/** Markdown for the workflow's page in the Temporal Web UI. */

export function migrationDetails(status: MigrationStatus): string {
  const findings = status.findings.filter((finding) => finding.state !== 'Succeeded');
  return [
    `**${status.state}** ${status.source} → ${status.target}`,
    ...story(status.failure),
    '',
    '| database | state | phase | tables | rows | bytes |',
    '| --- | --- | --- | ---: | ---: | ---: |',
    ...status.databases.map(
      (database) =>
        `| ${cell(database.database)} | ${database.state} | ${database.phase} | ${database.copied.tables} | ` +
        `${database.copied.rows} | ${formatBytes(database.copied.bytes)} |`,
    ),
    ...(findings.length === 0 ? [] : ['', '| finding | rule | what | remedy |', '| --- | --- | --- | --- |']),
    ...findings
      .slice(0, 50)
      .map(
        (finding) =>
          `| ${finding.state} | ${finding.rule} | ${cell(finding.message)} | ${cell(finding.remedy ?? '')} |`,
      ),
  ].join('\n');
}

export function databaseDetails(status: DatabaseStatus): string {
  const phases = Object.entries(status.seconds);
  return [
    `**${status.state}** in phase **${status.phase}**`,
    ...story(status.failure),
    ...story(status.notice),
    ...(status.cutover === undefined ? [] : cutoverDetails(status.cutover)),
    ...(status.replication === undefined ? [] : ['', replicationDetails(status.replication)]),
    '',
    '| phase | seconds |',
    '| --- | ---: |',
    ...phases.map(([phase, seconds]) => `| ${phase} | ${seconds} |`),
    ...status.differences.slice(0, 50).map((difference) => `\n- ${difference.object}: ${difference.message}`),
  ].join('\n');
}

export function replicationDetails(status: ReplicationStatus): string {
  const { changes, proven } = status;
  return [
    `Replication: **${status.state}** at ${status.lsn}`,
    ...story(status.failure),
    '',
    '| | |',
    '| --- | ---: |',
    `| lag | ${formatBytes(status.lagBytes)}, ${status.lagSeconds.toFixed(1)} s |`,
    `| WAL kept on the source | ${formatBytes(status.retainedBytes)} |`,
    `| transactions | ${changes.transactions} |`,
    `| inserts, updates, deletes, truncates | ${changes.inserts}, ${changes.updates}, ${changes.deletes}, ${changes.truncates} |`,
    `| tables proven | ${proven.tables} of ${proven.total} |`,
    ...status.stoppedTables.map(
      ({ table, failure }) => `\n- stopped: ${table}: ${failure.sentence} ${failure.remedy}`,
    ),
    ...status.drift.map((difference) => `\n- drift: ${difference.object}: ${difference.message}`),
  ].join('\n');
}

function cutoverDetails({ attempt, state, seconds, fencedSeconds, failure }: CutoverReport): string[] {
  const steps = Object.entries(seconds).map(([phase, took]) => `${phase} ${took} s`);
  return [
    '',
    `Cutover ${attempt}: **${state}** ${steps.join(', ')}`,
    ...(fencedSeconds === undefined ? [] : [`The application could not write for ${fencedSeconds} s.`]),
    ...story(failure),
  ];
}

function story(failure: { sentence: string; remedy: string } | undefined): string[] {
  return failure === undefined ? [] : [`${failure.sentence} ${failure.remedy}`];
}

export function loadDetails({ planned, copied, indexes }: LoadProgress): string {
  return [
    '| | done | planned |',
    '| --- | ---: | ---: |',
    `| tables | ${copied.tables} | ${planned.tables} |`,
    `| rows | ${copied.rows} | ${planned.rows} |`,
    `| bytes | ${formatBytes(copied.bytes)} | ${formatBytes(planned.bytes)} |`,
    `| indexes of large tables | ${indexes.built} | ${indexes.total} |`,
  ].join('\n');
}

/** A name must not break the table it stands in. */
function cell(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}

function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
