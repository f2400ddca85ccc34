import { randomBytes } from 'node:crypto';
import type { MigrationHandle } from '../../client';
import { connectClient, openEngine, startWorker, webUiPage, type Engine } from '../engine';
import { EXIT, exitCodeOfStatus, type ExitCode } from '../exit-code';
import { follow } from '../live/follow';
import type { Output } from '../output';
import { createReport, writeReport } from '../report/report';
import { reportText } from '../report/report-text';
import { stateDirectory } from '../../embedded';
import { demoPlace, removeDemo, type DemoPlace } from './demo-place';
import { startServers, superuserUri, type DemoServers } from './demo-servers';
import { WorkerCrash } from './worker-crash';

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
/** So that the sample's large tables are copied in several parts. */
const PART_BYTES = 16 * 1024 ** 2;

/** Migrates the sample between two servers of its own, and kills the worker on the way. Takes away all it made. */
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
    const crash = new WorkerCrash(engine, client, pool, engineOptions);
    return await followAndReport({ engine, handle, servers, crash }, options);
  } finally {
    await client.close();
  }
}

function demoMigration({ source, target, password }: DemoServers, pool: string) {
  return {
    name: pool,
    pool,
    source: superuserUri(source, password, 'postgres'),
    target: superuserUri(target, password, 'postgres'),
    limits: { partBytes: PART_BYTES },
    timeouts: { heartbeat: HEARTBEAT },
  };
}

interface DemoRun {
  engine: Engine;
  handle: MigrationHandle;
  servers: DemoServers;
  crash: WorkerCrash;
}

async function followAndReport(run: DemoRun, { keep, output, signal }: DemoOptions): Promise<ExitCode> {
  const { engine, handle, servers, crash } = run;
  const onSnapshot = crash.onSnapshot.bind(crash);
  const status = await follow(handle, { output, signal, interval: 250, onSnapshot });
  const crashed = await crash.finished();
  if (status === undefined) return EXIT.detached;
  const report = createReport(engine, handle, status);
  output.data(output.json ? JSON.stringify(report, null, 2) : reportText(report, output.colors));
  output.say(`Report:   ${await writeReport(stateDirectory().reports, report)}`);
  if (!crashed) output.warn('the load was over before the worker could be killed; give more --megabytes.');
  if (keep) sayHowToLook(servers, output);
  else if (report.temporal.webUi !== undefined) output.say('With --keep all of it stays for a look around.');
  return exitCodeOfStatus(status);
}

function sayHowToLook({ source, target, password }: DemoServers, output: Output): void {
  output.say(`Source:   psql ${superuserUri(source, password, 'shop')}`);
  output.say(`Target:   psql ${superuserUri(target, password, 'shop')}`);
  output.say('Stop it all and remove it: flexlift demo --stop');
}
