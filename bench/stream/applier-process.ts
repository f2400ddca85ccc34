import { applyChanges } from '../../postgres/replicate/applier';
import { endpointOf } from '../support/sessions';
import type { ApplierSetup, FromApplier, ToApplier } from './applier-messages';

/** The program of the process that {@link ./applier-child} starts. */

const HOST = '127.0.0.1';
const WORK = 'flexlift:bench:apply:';

let setup: ApplierSetup | undefined;
let run: { stop: AbortController; cpuBefore: number; over: Promise<void> } | undefined;

process.on('message', (message: ToApplier) => {
  switch (message.kind) {
    case 'setup':
      setup = message.setup;
      return tell({ kind: 'ready' });
    case 'go':
      run = begin();
      return;
    case 'stop':
      void stopped();
  }
});
// a parent that is gone stops nothing any more
process.on('disconnect', () => process.exit(0));

function begin() {
  const stop = new AbortController();
  const over = apply(stop.signal).catch((error: unknown) => {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  });
  return { stop, cpuBefore: cpuSeconds(), over };
}

async function apply(stop: AbortSignal): Promise<void> {
  if (setup === undefined) throw new Error('told to go before it was told where');
  const { database, identity } = setup;
  await applyChanges({
    source: endpointOf({ host: HOST, port: setup.source }, 'source', `${WORK}1`),
    target: endpointOf({ host: HOST, port: setup.target }, 'target', `${WORK}1`),
    database,
    identity,
    predecessorPrefix: WORK,
    stop,
    signal: new AbortController().signal,
    watchInterval: 10_000,
  });
}

async function stopped(): Promise<void> {
  if (run === undefined) return;
  const { stop, cpuBefore, over } = run;
  stop.abort();
  await over;
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  tell({ kind: 'stopped', peakBytes, cpuSeconds: cpuSeconds() - cpuBefore });
}

function cpuSeconds(): number {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
}

function tell(message: FromApplier): void {
  process.send?.(message);
}
