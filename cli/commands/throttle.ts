import type { Command } from 'commander';
import { EXIT, UsageError } from '../exit-code';
import { throttleText } from '../live/throttle-text';
import { orNone, parseCount, parseRate } from '../options/sizes';
import { unlessInterrupted } from '../session';
import { addJsonFlag, examples, type CommonFlags } from './common';
import { onMigration } from './on-migration';

interface ThrottleFlags extends CommonFlags {
  maxRate?: number | 'none';
  maxConnections?: number | 'none';
}

export function addThrottle(program: Command): void {
  addJsonFlag(
    program
      .command('throttle')
      .argument('<name>')
      .description('change how much the source may be asked for, while the migration runs'),
  )
    .option('--max-rate <rate>', 'rows loaded, of all databases: 50MB/s, or none', orNone(parseRate))
    .option('--max-connections <n>', 'sessions on the source, of all databases; or none', orNone(parseCount))
    .addHelpText(
      'after',
      examples('flexlift throttle shop --max-rate 20MB/s', 'flexlift throttle shop --max-rate none') +
        '\nCopies under way follow a rate within seconds; where sessions are too many, nothing new begins until enough have ended.\n',
    )
    .action((name: string, { maxRate, maxConnections }: ThrottleFlags, self: Command) =>
      onMigration(self, name, async (handle, { output, signal }) => {
        if (maxRate === undefined && maxConnections === undefined)
          throw new UsageError('Give --max-rate or --max-connections, or both.');
        const accepted = await handle.throttle({
          maxRate: bound(maxRate),
          maxConnections: bound(maxConnections),
        });
        const status = await unlessInterrupted(signal, accepted.result({ signal }));
        if (status === undefined) return EXIT.detached;
        if (output.json) output.data(JSON.stringify(status, null, 2));
        else output.data(throttleText(status.throttle) ?? 'Source: no bound');
        return EXIT.done;
      }),
    );
}

function bound(flag: number | 'none' | undefined): number | null | undefined {
  return flag === 'none' ? null : flag;
}
