import { InvalidArgumentError, Option, type Command } from 'commander';
import type { QueueRole } from '../../workers';
import { openEngine } from '../engine';
import { EXIT } from '../exit-code';
import { parseCount } from '../options/sizes';
import { examples, run, type CommonFlags } from './common';

interface WorkerFlags extends CommonFlags {
  pool: string;
  queue?: QueueRole[];
  copySlots?: number;
  streamSlots?: number;
  metrics?: string;
  address?: string;
  namespace?: string;
}

const ROLES: readonly QueueRole[] = ['control', 'copy', 'stream'];

export function addWorker(program: Command): void {
  program
    .command('worker')
    .description('run a worker in the foreground, until SIGTERM or Ctrl-C')
    .addOption(
      new Option('--pool <name>', 'the migrations it serves').env('FLEXLIFT_POOL').default('default'),
    )
    .option(
      '--queue <role>',
      'only this queue: control, copy or stream; repeatable (default: all)',
      collectRole,
    )
    .option('--copy-slots <n>', 'copies, checksums and index builds at a time (default: 16)', parseCount)
    .option(
      '--stream-slots <n>',
      'snapshots held and databases replicated at a time (default: 64)',
      parseCount,
    )
    .addOption(
      new Option('--metrics <host:port>', 'serve metrics for Prometheus there')
        .env('FLEXLIFT_METRICS')
        .argParser(parseAddress),
    )
    .option(
      '--address <host:port>',
      'of Temporal (default: from TEMPORAL_ADDRESS, the profile file, else our own)',
    )
    .option('--namespace <name>', 'of Temporal (default: from TEMPORAL_NAMESPACE, the profile file)')
    .addHelpText(
      'after',
      examples(
        'flexlift worker',
        'TEMPORAL_ADDRESS=temporal:7233 flexlift worker --pool site-a --copy-slots 32 --metrics 0.0.0.0:9464',
      ),
    )
    .action((flags: WorkerFlags, self: Command) =>
      run(self, async (output) => {
        const engine = await openEngine({ output, environment: environmentOf(flags) });
        const { connectionOptions, namespace, keyDirectory } = engine;
        // loaded only here: the worker's native library costs every other command half a second
        const { runWorker } = await import('../../workers/index.js');
        await runWorker({
          connection: connectionOptions,
          namespace,
          pool: flags.pool,
          keyDirectory,
          logLevel: output.verbose ? 'debug' : output.quiet ? 'warn' : 'info',
          copySlots: flags.copySlots,
          streamSlots: flags.streamSlots,
          queues: flags.queue,
          metricsAddress: flags.metrics,
        });
        return EXIT.done;
      }),
    );
}

/** The flags win over the environment and the profile file. */
function environmentOf({ address, namespace }: WorkerFlags): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...(address === undefined ? {} : { TEMPORAL_ADDRESS: address }),
    ...(namespace === undefined ? {} : { TEMPORAL_NAMESPACE: namespace }),
  };
}

function parseAddress(text: string): string {
  const [, host = '', digits = ''] = /^(\[[\da-f:]+\]|[\d.]+|localhost):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (host !== '' && port >= 1 && port <= 65_535) return `${host.replace('localhost', '127.0.0.1')}:${port}`;
  throw new InvalidArgumentError('Give an address of this machine and a port, such as 0.0.0.0:9464.');
}

function collectRole(text: string, earlier: QueueRole[] = []): QueueRole[] {
  const role = ROLES.find((known) => known === text);
  if (role === undefined) throw new InvalidArgumentError(`Give one of ${ROLES.join(', ')}.`);
  return [...earlier, role];
}
