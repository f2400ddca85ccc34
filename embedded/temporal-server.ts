import { PRODUCT, SEARCH_ATTRIBUTES } from '../contract';
import { ensureProcess, killProcess, stopProcess, type BackgroundProcess } from './background-process';
import { childEnvironment } from './child-environment';
import { choosePort, isListening, LOCALHOST } from './ports';
import { runningProcess, type ProcessRecord, type RunningProcess } from './process-record';
import type { StateDirectory } from './state-directory';
import { findTemporalBinary, type FindTemporalOptions } from './temporal-binary';
import { prepareNamespace } from './temporal-namespace';

const NAME = 'temporal';
/** Below the range that systems hand out to outgoing connections, so that a restart finds its ports free. */
const FIRST_PORT = 17_233;
const FIRST_UI_PORT = 18_233;

export interface TemporalServer {
  /** `host:port`. */
  address: string;
  namespace: string;
  /** Of the Web UI. */
  uiUrl: string;
  pid: number;
}

export interface EnsureTemporalOptions extends FindTemporalOptions {
  /** Made where it is missing, with 30 days of retention. Default `flexlift`. */
  namespace?: string;
}

/**
 * Gives the embedded Temporal server of this state directory, started now if it doesn't run (`started`). It keeps
 * its histories in the directory's database file and its ports from one start to the next, and survives this process.
 * @throws FlexliftError `TemporalUnreachable` where there is no program for it or it does not start.
 */
export async function ensureTemporalServer(
  state: StateDirectory,
  options: EnsureTemporalOptions = {},
): Promise<TemporalServer & { started: boolean }> {
  const namespace = options.namespace ?? PRODUCT;
  const { running, started } = await ensureProcess(
    state,
    temporalProcess(state, namespace, options),
    options,
  );
  return { ...describeServer(running, namespace), started };
}

/** The embedded Temporal server, if its process runs. */
export function runningTemporalServer(
  state: StateDirectory,
  namespace: string = PRODUCT,
): TemporalServer | undefined {
  const running = runningProcess(state, NAME);
  return running === undefined ? undefined : describeServer(running, namespace);
}

/** Stops the server; its histories stay. False: none ran. */
export function stopTemporalServer(state: StateDirectory): Promise<boolean> {
  return stopProcess(state, NAME);
}

/** Ends the server as a crash would. False: none ran. */
export function killTemporalServer(state: StateDirectory): Promise<boolean> {
  return killProcess(state, NAME);
}

function describeServer(running: RunningProcess, namespace: string): TemporalServer {
  return {
    address: addressOf(running),
    namespace,
    uiUrl: `http://${LOCALHOST}:${running.ports.ui}`,
    pid: running.identity.pid,
  };
}

function addressOf(record: ProcessRecord): string {
  return `${LOCALHOST}:${record.ports.frontend}`;
}

function temporalProcess(
  state: StateDirectory,
  namespace: string,
  options: EnsureTemporalOptions,
): BackgroundProcess {
  return {
    name: NAME,
    title: 'Temporal server',
    failureCode: 'TemporalUnreachable',
    isHealthy: async (running) =>
      // gRPC waits a second before it tries a refused connection again; the start takes a fraction of that.
      (await isListening(running.ports.frontend ?? 0)) && prepareNamespace(addressOf(running), namespace),
    plan: async (previous) => {
      const { path } = await findTemporalBinary(options);
      const frontend = await choosePort(previous?.ports.frontend, FIRST_PORT);
      const ui = await choosePort(previous?.ports.ui, FIRST_UI_PORT);
      return {
        command: path,
        args: serverArguments(state, namespace, frontend, ui),
        env: childEnvironment([], options.env),
        ports: { frontend, ui },
      };
    },
  };
}

/**
 * Polls of its own queues a second. The default of 20 is for clusters of many shards: on one of them each step of a workflow
 * waits up to 50 ms for its turn once a second's worth is used up.
 */
const PACE = { 'history.transferProcessorMaxPollRPS': 1000, 'history.timerProcessorMaxPollRPS': 1000 };

function serverArguments(state: StateDirectory, namespace: string, frontend: number, ui: number): string[] {
  const searchAttributes = Object.values(SEARCH_ATTRIBUTES).flatMap((name) => [
    '--search-attribute',
    `${name}=Keyword`,
  ]);
  return [
    ...['server', 'start-dev', '--log-level', 'warn', '--ip', LOCALHOST],
    ...['--port', String(frontend), '--ui-port', String(ui)],
    ...['--db-filename', state.temporalDatabase, '--namespace', namespace],
    ...searchAttributes,
    ...Object.entries(PACE).flatMap((setting) => ['--dynamic-config-value', setting.join('=')]),
  ];
}
