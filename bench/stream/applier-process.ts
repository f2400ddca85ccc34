import { applyChanges } from '../../postgres/replicate/applier';
import { endpointOf } from '../support/sessions';
import type { ApplierSetup, FromApplier, ToApplier } from './applier-messages';

/** The program of the process that {@link ./applier-child} starts. */

const HOST = '127.0.0.1';
const WORK = 'flexlift:bench:apply:';

let setup: ApplierSetup | undefined;
let run: Promise<unknown> | undefined;
const stop = new AbortController();

process.on('message', (message: ToApplier) => {
  switch (message.kind) {
    case 'setup':
      setup = message.setup;
      return tell({ kind: 'ready' });
    case 'go':
      run = apply().catch((error: unknown) => {
        tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
      });
      return;
    case 'stop':
      stop.abort();
      void run?.then(sayFigures);
  }
});
// a parent that is gone stops nothing any more
process.on('disconnect', () => process.exit(0));

async function apply(): Promise<void> {
  if (setup === undefined) throw new Error('told to go before it was told where');
  const { database, identity } = setup;
  await applyChanges({
    source: endpointOf({ host: HOST, port: setup.source }, 'source', `${WORK}1`),
    target: endpointOf({ host: HOST, port: setup.target }, 'target', `${WORK}1`),
    database,
    identity,
    predecessorPrefix: WORK,
    stop: stop.signal,
    signal: new AbortController().signal,
    watchInterval: 10_000,
  });
}

function sayFigures(): void {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  tell({
    kind: 'stopped',
    peakBytes: maxRSS * 1024,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
  });
}

function tell(message: FromApplier): void {
  process.send?.(message);
}
