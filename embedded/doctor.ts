import { accessSync, constants } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { FlexliftError, type Finding } from '../contract';
import { findPgDump } from '../postgres/schema';
import { configuredTemporal } from './configured-temporal';
import { executablesOnPath } from './executable-search';
import { findServerBinaries } from './server-binaries';
import { stateDirectory } from './state-directory';
import { findPresentTemporal } from './temporal-binary';

/** Node.js below it lacks what Temporal's SDK needs. */
const OLDEST_NODE = [20, 3] as const;
/** What the demo needs: two servers with 300 MB each, their WAL and the histories. */
const DEMO_BYTES = 3 * 1024 ** 3;
/** The demo moves from a server this old or older to one this new or newer. */
export const DEMO_MAJORS = { source: { atMost: 14 }, target: { atLeast: 17 } } as const;

type Check = (env: NodeJS.ProcessEnv) => Promise<Omit<Finding, 'rule'>> | Omit<Finding, 'rule'>;

const CHECKS: Record<string, Check> = {
  'node-version': checkNode,
  'client-tools': checkClientTools,
  temporal: checkTemporal,
  'demo-source': () => checkServer(DEMO_MAJORS.source),
  'demo-target': () => checkServer(DEMO_MAJORS.target),
  'state-directory': checkStateDirectory,
  'disk-space': checkDiskSpace,
};

/**
 * What flexlift needs on this machine and whether it is there. Changes nothing but making the state directory and,
 * where servers from npm can't be run where they are, the copies of them.
 */
export async function examineMachine(env: NodeJS.ProcessEnv = process.env): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [rule, check] of Object.entries(CHECKS)) {
    try {
      findings.push({ rule, ...(await check(env)) });
    } catch (error) {
      if (!(error instanceof FlexliftError)) throw error;
      findings.push({ rule, state: 'Failed', message: error.fields.sentence, remedy: error.fields.remedy });
    }
  }
  return findings;
}

function checkNode(): Omit<Finding, 'rule'> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNewEnough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const message = `Node.js is ${process.versions.node}.`;
  if (isNewEnough) return { state: 'Succeeded', message };
  return { state: 'Failed', message, remedy: `Install Node.js ${OLDEST_NODE.join('.')} or newer.` };
}

async function checkClientTools(): Promise<Omit<Finding, 'rule'>> {
  const { major, path } = await findPgDump({ sourceMajor: 0, targetMajor: 0 });
  return { state: 'Succeeded', message: `pg_dump can read servers up to version ${major} (${path}).` };
}

async function checkTemporal(env: NodeJS.ProcessEnv): Promise<Omit<Finding, 'rule'>> {
  const configured = configuredTemporal(env);
  if (configured !== undefined) {
    return { state: 'Succeeded', message: `A Temporal server is configured: ${configured.address}.` };
  }
  const present = await findPresentTemporal({ env });
  if (present !== undefined) return { state: 'Succeeded', message: `${present.path} is ${present.version}.` };
  const hasGo = executablesOnPath('go', env).length > 0;
  return {
    state: 'Warning',
    message: `There is no temporal program yet; the first command downloads it${hasGo ? ' or builds it with Go' : ''}.`,
    remedy: hasGo
      ? 'Nothing, or put the Temporal CLI (https://docs.temporal.io/cli) on PATH to spare the wait.'
      : 'Where temporal.download is out of reach, put the Temporal CLI (https://docs.temporal.io/cli) on PATH or set TEMPORAL_ADDRESS.',
  };
}

/** A migration needs no server of ours; only the demo and the tests do. */
async function checkServer(
  wanted: (typeof DEMO_MAJORS)[keyof typeof DEMO_MAJORS],
): Promise<Omit<Finding, 'rule'>> {
  try {
    const { version, directory } = await findServerBinaries(wanted);
    return { state: 'Succeeded', message: `The demo can run PostgreSQL ${version} (${directory}).` };
  } catch (error) {
    if (!(error instanceof FlexliftError)) throw error;
    return { state: 'Warning', message: error.fields.sentence, remedy: error.fields.remedy };
  }
}

function checkStateDirectory(env: NodeJS.ProcessEnv): Omit<Finding, 'rule'> {
  const { root } = stateDirectory(env);
  try {
    accessSync(root, constants.W_OK);
  } catch {
    return {
      state: 'Failed',
      message: `The state directory ${root} can't be written.`,
      remedy: 'Make it writable for this user, or set FLEXLIFT_STATE_DIR to a directory that is.',
    };
  }
  return { state: 'Succeeded', message: `The state is kept in ${root}.` };
}

async function checkDiskSpace(env: NodeJS.ProcessEnv): Promise<Omit<Finding, 'rule'>> {
  const { root } = stateDirectory(env);
  const { bavail, bsize } = await statfs(root);
  const gigabytes = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GB`;
  const message = `${gigabytes(bavail * bsize)} are free where the state is kept.`;
  if (bavail * bsize >= DEMO_BYTES) return { state: 'Succeeded', message };
  return { state: 'Warning', message, remedy: `The demo needs ${gigabytes(DEMO_BYTES)}: make room.` };
}
