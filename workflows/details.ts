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
    ...concurrencyDetails(status),
    '',
    '| database | state | phase | tables | rows | bytes | replication |',
    '| --- | --- | --- | ---: | ---: | ---: | --- |',
    ...status.databases.map(
      (database) =>
        `| ${cell(database.database)} | ${database.state} | ${database.phase} | ${database.copied.tables} | ` +
        `${database.copied.rows} | ${formatBytes(database.copied.bytes)} | ${standing(database)} |`,
    ),
    ...(findings.length === 0
      ? []
      : ['', '| finding | rule | database | what | remedy |', '| --- | --- | --- | --- | --- |']),
    ...findings
      .slice(0, 50)
      .map(
        ({ state, rule, database = '', message, remedy = '' }) =>
          `| ${state} | ${rule} | ${cell(database)} | ${cell(message)} | ${cell(remedy)} |`,
      ),
  ].join('\n');
}

function concurrencyDetails({ concurrency, throttle = {} }: MigrationStatus): string[] {
  const { maxRate, maxConnections } = throttle;
  return [
    ...(concurrency === undefined
      ? []
      : [
          `At a time: ${concurrency.databasesAtOnce} databases, of each ${concurrency.copiesAtOnce} copies and ${concurrency.indexesAtOnce} index builds.`,
        ]),
    ...(maxRate === undefined ? [] : [`At most ${formatBytes(maxRate)} a second from the source.`]),
    ...(maxConnections === undefined ? [] : [`At most ${maxConnections} sessions on the source.`]),
  ];
}

/** Of its replication or its cutover, in a few words. */
function standing({ replication, cutover }: DatabaseStatus): string {
  if (cutover !== undefined) {
    const outage = cutover.fencedSeconds === undefined ? '' : `, no writes for ${cutover.fencedSeconds} s`;
    return `cutover ${cutover.attempt} ${cutover.state}${outage}`;
  }
  if (replication === undefined) return '';
  const { state, lagBytes, lagSeconds, at } = replication;
  return `${state}, ${formatBytes(lagBytes)} and ${lagSeconds.toFixed(1)} s behind at ${clock(at)}`;
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
  const { changes, proven, proofsPostponed, retainedLimitBytes, secondsToLimit, waitingForeignKeys } = status;
  return [
    `Replication: **${status.state}** at ${status.lsn}, figures of ${clock(status.at)}`,
    ...story(status.failure),
    '',
    '| | |',
    '| --- | ---: |',
    `| lag | ${formatBytes(status.lagBytes)}, ${status.lagSeconds.toFixed(1)} s |`,
    `| changes per second | ${Math.round(status.changesPerSecond)} |`,
    `| WAL kept on the source | ${formatBytes(status.retainedBytes)} |`,
    `| its limit | ${retainedLimitBytes === undefined ? 'none' : formatBytes(retainedLimitBytes)} |`,
    `| until the limit | ${secondsToLimit === undefined ? 'never' : `${secondsToLimit} s`} |`,
    `| transactions | ${changes.transactions} |`,
    `| inserts, updates, deletes, truncates | ${changes.inserts}, ${changes.updates}, ${changes.deletes}, ${changes.truncates} |`,
    `| tables proven | ${proven.tables} of ${proven.total} |`,
    `| foreign keys left to the cutover | ${waitingForeignKeys ?? 'not tried yet'} |`,
    ...(proofsPostponed === undefined ? [] : [`\n- proofs wait: ${proofsPostponed}`]),
    ...status.stoppedTables.map(
      ({ table, failure }) => `\n- stopped: ${table}: ${failure.sentence} ${failure.remedy}`,
    ),
    ...status.drift.map((difference) => `\n- drift: ${difference.object}: ${difference.message}`),
  ].join('\n');
}

function cutoverDetails(cutover: CutoverReport): string[] {
  const { attempt, state, underWay = [], seconds, fencedSeconds, failure } = cutover;
  const steps = Object.entries(seconds).map(([phase, took]) => `${phase} ${took} s`);
  return [
    '',
    `Cutover ${attempt}: **${state}** ${steps.join(', ')}`,
    ...(underWay.length === 0 ? [] : [`Under way: ${underWay.join(', ')}`]),
    ...(fencedSeconds === undefined ? [] : [`The application could not write for ${fencedSeconds} s.`]),
    ...story(failure),
  ];
}

/** `2026-01-31 10:00:00Z` */
function clock(instant: string): string {
  return instant.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
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
