import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { childEnvironment } from './child-environment';
import { executableIn, executablesOnPath } from './executable-search';
import { startProgress } from './progress';
import { runCommand } from './run-command';
import type { FindTemporalOptions } from './temporal-binary';

export const TEMPORAL_MODULE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';

/** Where Go is told about its caches and the way out of the network; proxies may be the only one. */
const GO_VARIABLES = [
  'GOROOT',
  'GOPATH',
  'GOCACHE',
  'GOMODCACHE',
  'GOPROXY',
  'GONOPROXY',
  'GOSUMDB',
  'GONOSUMDB',
  'GOPRIVATE',
  'GOTOOLCHAIN',
  'GOFLAGS',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
];

/** A build takes one to four minutes; without warm caches on a slow machine more. Milliseconds. */
const BUILD_TIMEOUT = 30 * 60_000;

/**
 * Builds the Temporal CLI with `go install` into `directory`. Needs Go on PATH and the Go module proxy.
 * @throws Error whose message says why it could not.
 */
export async function buildTemporal(directory: string, options: FindTemporalOptions): Promise<void> {
  const env = options.env ?? process.env;
  const [go] = executablesOnPath('go', env);
  if (go === undefined) throw new Error('Go is not on PATH');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const workspace = await mkdtemp(join(directory, 'build-'));
  try {
    await goInstall(go, workspace, env, options);
    const program = executableIn(workspace, 'temporal');
    if (program === undefined) throw new Error('go install left no program');
    await rename(program, program.replace(workspace, directory));
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

async function goInstall(go: string, into: string, env: NodeJS.ProcessEnv, options: FindTemporalOptions) {
  const report = startProgress('Building Temporal with Go (once, some minutes)', options.onProgress);
  let lastLine: string | undefined;
  report();
  const ticker = setInterval(() => report(lastLine), 250);
  try {
    const result = await runCommand(go, ['install', '-v', TEMPORAL_MODULE], {
      env: { ...childEnvironment(GO_VARIABLES, env), GOBIN: into },
      cwd: into,
      timeout: BUILD_TIMEOUT,
      signal: options.signal,
      onLine: (line) => (lastLine = line),
    });
    if (!result.succeeded)
      throw new Error(`go install failed (${result.failure}): ${lastLine ?? 'it said nothing'}`);
  } finally {
    clearInterval(ticker);
  }
}
