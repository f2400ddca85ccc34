import { join } from 'node:path';
import { readdirSync } from 'node:fs';
import { MigrationClient, taskQueues } from '../client';
import {
  childEnvironment,
  configuredTemporal,
  ensureProcess,
  ensureTemporalServer,
  killProcess,
  packageRoot,
  stateDirectory,
  stopProcess,
  stopTemporalServer,
  variablesSetAnew,
  type BackgroundProcess,
  type ConfiguredTemporal,
  type EmbeddedProgress,
  type StateDirectory,
} from '../embedded';
import type { Output } from './output';

/** Handed on to an embedded worker; never all, for the rest may hold passwords of other things. */
const WORKER_VARIABLES = [
  'FLEXLIFT_STATE_DIR',
  'FLEXLIFT_KEY',
  'FLEXLIFT_METRICS',
  'FLEXLIFT_KEY_DIRECTORY',
  'FLEXLIFT_PG_BIN',
  'PGPASSFILE',
  'PGSSLROOTCERT',
];
const WORKER = 'worker';

/** The Temporal server that a command works with, and the means to have a worker there. */
export interface Engine {
  state: StateDirectory;
  /** Started by flexlift on this machine, not configured by the user. */
  embedded: boolean;
  address: string;
  namespace: string;
  connectionOptions: ConfiguredTemporal['connectionOptions'];
  /** Of the Web UI, without the path; absent: not known. */
  uiUrl?: string;
  /** Of sealing keys. */
  keyDirectory: string;
}

export interface EngineOptions {
  output: Output;
  /** Default: the process's. */
  environment?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
}

/**
 * The configured Temporal server, else the embedded one, started where it does not run.
 *
 * @throws FlexliftError TemporalUnreachable
 */
export async function openEngine({
  output,
  environment = process.env,
  signal,
}: EngineOptions): Promise<Engine> {
  const state = stateDirectory(environment);
  const keyDirectory = environment.FLEXLIFT_KEY_DIRECTORY ?? state.keys;
  const configured = configuredTemporal(environment);
  if (configured !== undefined) {
    output.detail(`Temporal: ${configured.address}, namespace ${configured.namespace} (configured)`);
    const uiUrl = environment.FLEXLIFT_WEB_UI ?? knownWebUi(configured.address);
    return { state, embedded: false, ...configured, ...(uiUrl === undefined ? {} : { uiUrl }), keyDirectory };
  }
  const onProgress = progressTeller(output);
  const server = await ensureTemporalServer(state, { env: environment, signal, onProgress });
  const { address, namespace, uiUrl } = server;
  const how = server.started ? 'started' : 'running';
  output.detail(
    `Temporal: ${address}, namespace ${namespace} (flexlift's own, ${how}, state in ${state.root})`,
  );
  const connectionOptions = { address, tls: false };
  return { state, embedded: true, address, namespace, connectionOptions, uiUrl, keyDirectory };
}

export async function connectClient(engine: Engine, output: Output): Promise<MigrationClient> {
  const { address, tls, apiKey } = engine.connectionOptions;
  return await MigrationClient.connect({
    address,
    namespace: engine.namespace,
    tls,
    apiKey,
    keyDirectory: engine.keyDirectory,
    onNotice: (sentence) => output.warn(sentence),
  });
}

/** Has an embedded worker of the pool run. With a configured Temporal workers are the user's affair. */
export async function ensureWorker(
  engine: Engine,
  client: MigrationClient,
  pool: string,
  options: EngineOptions,
): Promise<void> {
  if (engine.embedded) await startWorker(engine, client, pool, options);
}

/**
 * Has a worker of the pool run in the background on this machine, started where none does.
 *
 * @throws FlexliftError NoWorker
 */
export async function startWorker(
  engine: Engine,
  client: MigrationClient,
  pool: string,
  { output, environment = process.env, signal }: EngineOptions,
): Promise<void> {
  const kind = workerProcess(engine, client, pool, environment);
  const { running, started } = await ensureProcess(engine.state, kind, {
    signal,
    onProgress: progressTeller(output),
  });
  output.detail(`Worker: process ${running.identity.pid} (${started ? 'started' : 'running'}), pool ${pool}`);
  const unheard = variablesSetAnew(running, WORKER_VARIABLES, environment);
  if (unheard.length > 0) {
    output.warn(
      `the worker that runs was started with another ${unheard.join(', ')}: to have it take over this one, flexlift stop.`,
    );
  }
}

/** Ends a pool's embedded worker as a crash would. `false`: none ran. */
export async function killWorker(engine: Engine, pool: string): Promise<boolean> {
  return await killProcess(engine.state, workerName(pool));
}

/** Stops the embedded workers, then the embedded Temporal server; histories stay. Gives what was stopped. */
export async function stopEngine(state: StateDirectory): Promise<string[]> {
  const names = readdirSync(state.processes)
    .map((file) => file.replace(/\.json$/, ''))
    .filter((name) => name === WORKER || name.startsWith(`${WORKER}-`));
  const stopped: string[] = [];
  for (const name of names) if (await stopProcess(state, name, 30_000)) stopped.push(name);
  if (await stopTemporalServer(state)) stopped.push('Temporal server');
  return stopped;
}

/** The page of a workflow in the Web UI. */
export function webUiPage(
  engine: Pick<Engine, 'uiUrl' | 'namespace'>,
  workflowId: string,
): string | undefined {
  if (engine.uiUrl === undefined) return undefined;
  const base = engine.uiUrl.replace(/\/+$/, '');
  return `${base}/namespaces/${encodeURIComponent(engine.namespace)}/workflows/${encodeURIComponent(workflowId)}`;
}

function workerProcess(
  engine: Engine,
  client: MigrationClient,
  pool: string,
  environment: NodeJS.ProcessEnv,
): BackgroundProcess {
  return {
    name: workerName(pool),
    title: `worker of pool ${pool}`,
    failureCode: 'NoWorker',
    stopTimeout: 30_000,
    isHealthy: async ({ identity, commandLine }) => {
      // a worker of a server that ran at another port is of no use
      if (!commandLine.includes(engine.address)) return false;
      return await client.isWorkerPresent(pool, identity.pid).catch(() => false);
    },
    plan: () =>
      Promise.resolve({
        command: process.execPath,
        args: [
          join(packageRoot(), 'dist', 'cli', 'main.js'),
          ...['worker', '--pool', pool, '--address', engine.address, '--namespace', engine.namespace],
        ],
        env: workerEnvironment(engine, environment),
      }),
  };
}

function workerEnvironment(engine: Engine, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const connection = engine.embedded
    ? []
    : Object.keys(environment).filter((name) => name.startsWith('TEMPORAL_'));
  return {
    ...childEnvironment([...WORKER_VARIABLES, ...connection], environment),
    FLEXLIFT_STATE_DIR: engine.state.root,
    // no such file: the user's own may hold TLS or an API key, for a server that is not the embedded one
    ...(engine.embedded ? { TEMPORAL_CONFIG_FILE: join(engine.state.root, 'temporal.toml') } : {}),
  };
}

function workerName(pool: string): string {
  return pool === 'default' ? WORKER : `${WORKER}-${taskQueues(pool).control}`;
}

/** Temporal Cloud's address says where its Web UI is. */
function knownWebUi(address: string): string | undefined {
  return /\.(?:tmprl\.cloud|api\.temporal\.io)(?::\d+)?$/.test(address)
    ? 'https://cloud.temporal.io'
    : undefined;
}

/** Says at once what takes long, and every ten seconds that it still does. */
function progressTeller(output: Output): (progress: EmbeddedProgress) => void {
  let told = '';
  let next = 0;
  return ({ what, elapsedSeconds, detail }) => {
    if (elapsedSeconds < 1 || (what === told && elapsedSeconds < next)) return;
    told = what;
    next = elapsedSeconds + 10;
    output.say(
      `${what} (${Math.round(elapsedSeconds)} s)${detail === undefined ? '' : `: ${detail.trim()}`}`,
    );
  };
}
