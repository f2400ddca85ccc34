import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  isReadyForCutover,
  type MigrationHandle,
  type MigrationSnapshot,
  type MigrationStatus,
} from '../../client';
import { connectClient, openEngine, startWorker, webUiPage, type Engine } from '../engine';
import { EXIT, exitCodeOfStatus, type ExitCode } from '../exit-code';
import { follow } from '../live/follow';
import type { Output } from '../output';
import { createReport, writeReport } from '../report/report';
import { reportText } from '../report/report-text';
import { SampleWriter, stateDirectory } from '../../embedded';
import { demoPlace, removeDemo, type DemoPlace } from './demo-place';
import { sampleServer, startServers, superuserUri, type DemoServers } from './demo-servers';
import { WorkerCrashes } from './worker-crashes';

export interface DemoOptions {
  /** Of the sample, both databases together, about. */
  megabytes: number;
  /** Leave all running at the end. */
  keep: boolean;
  output: Output;
  signal: AbortSignal;
}

/** Short enough that one sees the crash being noticed, long enough for a busy laptop. Milliseconds. */
const HEARTBEAT = 5_000;
/** Short, so that one sees more than one. Milliseconds. */
const SEGMENT = 20_000;
const WATCH = 2_000;
/** So that the sample's large tables are copied in several parts. */
const PART_BYTES = 16 * 1024 ** 2;
/** An application that writes as fast as ours is always some ahead. */
const MAX_LAG = 16 * 1024 ** 2;
/** Of the sample's databases the one that the application writes to. */
const WRITTEN_DATABASE = 'shop';
/** Milliseconds. */
const AFTERMATH = 2_000;

/**
 * Migrates the sample between two servers of its own while an application writes to it, kills the worker in the middle of
 * the copy and of the replication, cuts over, and moves the application. Takes away all it made.
 */
export async function runDemo(options: DemoOptions): Promise<ExitCode> {
  const { keep, output } = options;
  const place = await demoPlace();
  if (await removeDemo(place)) output.say('An earlier demo was still there and is stopped.');
  let finished = false;
  try {
    const code = await migrateSample(place, options);
    finished = true;
    return code;
  } finally {
    if (!keep || !finished) {
      output.say('Taking the demo away');
      await removeDemo(place);
    }
  }
}

async function migrateSample(place: DemoPlace, options: DemoOptions): Promise<ExitCode> {
  const { megabytes, output, signal } = options;
  const engineOptions = { output, signal, environment: place.environment };
  const engine = await openEngine(engineOptions);
  const servers = await startServers({ place, megabytes, output, signal });
  const client = await connectClient(engine, output);
  try {
    const pool = `demo-${randomBytes(3).toString('hex')}`;
    await startWorker(engine, client, pool, engineOptions);
    const handle = await client.create(demoMigration(servers, pool));
    output.say(
      `Migration ${handle.name} has started: ${webUiPage(engine, handle.workflowId) ?? handle.workflowId}`,
    );
    const crashes = new WorkerCrashes(engine, client, pool, engineOptions);
    return await followAndReport({ engine, handle, servers, crashes }, options);
  } finally {
    await client.close();
  }
}

function demoMigration({ source, target, password }: DemoServers, pool: string) {
  return {
    name: pool,
    pool,
    mode: 'Online' as const,
    source: superuserUri(source, password, 'postgres'),
    target: superuserUri(target, password, 'postgres'),
    limits: { partBytes: PART_BYTES },
    timeouts: { heartbeat: HEARTBEAT, segment: SEGMENT, watch: WATCH },
  };
}

interface DemoRun {
  engine: Engine;
  handle: MigrationHandle;
  servers: DemoServers;
  crashes: WorkerCrashes;
}

async function followAndReport(run: DemoRun, { keep, output, signal }: DemoOptions): Promise<ExitCode> {
  const { engine, handle, servers, crashes } = run;
  const application = new SampleWriter(sampleServer(servers.source, servers.password), WRITTEN_DATABASE);
  output.say(`An application writes to ${WRITTEN_DATABASE} on the source from now on.`);
  try {
    const status = await migrateUnder(application, run, { output, signal });
    if (status === undefined) return EXIT.detached;
    const report = createReport(engine, handle, status);
    output.data(output.json ? JSON.stringify(report, null, 2) : reportText(report, output.colors));
    output.say(`Report:   ${await writeReport(stateDirectory().reports, report)}`);
    const goesOn = await sayHowItFared(application, output);
    if (crashes.count < 2)
      output.warn('it was over before the worker could be killed twice; give more --megabytes.');
    if (keep) sayHowToLook(servers, output);
    else if (report.temporal.webUi !== undefined)
      output.say('With --keep all of it stays for a look around.');
    return goesOn ? exitCodeOfStatus(status) : EXIT.failed;
  } finally {
    await application.stop();
  }
}

/** `undefined`: Ctrl-C came first. */
async function migrateUnder(
  application: SampleWriter,
  { handle, servers, crashes }: DemoRun,
  { output, signal }: Pick<DemoOptions, 'output' | 'signal'>,
): Promise<MigrationStatus | undefined> {
  const common = { output, signal, interval: 250 };
  const ready = await follow(handle, {
    ...common,
    onSnapshot: (snapshot) => crashes.onSnapshot(snapshot),
    until: (snapshot) => crashes.areOver && isReady(snapshot),
  });
  await crashes.finished();
  if (ready === undefined || ready.endedAt !== undefined) return ready;

  output.say('Ready: the source is fenced now, and the target takes over.');
  const cutover = await handle.cutover({ maxLagBytes: MAX_LAG });
  let failed = false;
  void cutover.result({ signal }).then(
    ({ databases }) => (failed = databases.some((database) => database.cutover?.state === 'CalledOff')),
    () => (failed = true),
  );
  let moved = false;
  return await follow(handle, {
    ...common,
    until: () => failed,
    onSnapshot: ({ status }) => {
      if (moved || !isReleased(status)) return;
      moved = true;
      application.moveTo(sampleServer(servers.target, servers.password));
      output.say('The application writes to the target from now on.');
    },
  });
}

function isReady({ status }: MigrationSnapshot): boolean {
  return status !== undefined && status.databases.length > 0 && status.databases.every(isReadyForCutover);
}

function isReleased(status: MigrationStatus | undefined): boolean {
  const written = status?.databases.find(({ database }) => database === WRITTEN_DATABASE);
  return written?.cutover?.state === 'Released';
}

/**
 * Lets it write on for a moment: the target is not only equal, it works.
 *
 * @returns whether it does write on
 */
async function sayHowItFared(application: SampleWriter, output: Output): Promise<boolean> {
  const before = application.figures.committed;
  await pause(AFTERMATH);
  const { committed, longestPause } = application.figures;
  output.say(
    `The application wrote ${committed} transactions, ${committed - before} of them to the target in the last ` +
      `${AFTERMATH / 1000} s. Its longest pause: ${longestPause.toFixed(1)} s.`,
  );
  if (committed === before) output.warn('the application does not write any more.');
  return committed > before;
}

function sayHowToLook({ source, target, password }: DemoServers, output: Output): void {
  output.say(`Source:   psql ${superuserUri(source, password, 'shop')}`);
  output.say(`Target:   psql ${superuserUri(target, password, 'shop')}`);
  output.say('Stop it all and remove it: flexlift demo --stop');
}
