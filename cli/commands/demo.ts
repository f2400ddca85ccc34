import { Option, type Command } from 'commander';
import { demoPlace, removeDemo } from '../demo/demo-place';
import { runDemo } from '../demo/demo';
import { EXIT } from '../exit-code';
import { parseCount } from '../options/sizes';
import { withInterrupt } from '../session';
import { addJsonFlag, examples, run, type CommonFlags } from './common';

interface DemoFlags extends CommonFlags {
  megabytes: number;
  keep?: boolean;
  stop?: boolean;
}

export function addDemo(program: Command): void {
  addJsonFlag(
    program
      .command('demo')
      .description(
        'migrate a sample between two servers of its own, kill the worker on the way, prove it equal',
      ),
  )
    .option('--megabytes <n>', 'size of the sample', parseCount, 300)
    .option('--keep', 'leave all of it running for a look around')
    .addOption(new Option('--stop', 'stop and remove what --keep left').conflicts(['keep', 'megabytes']))
    .addHelpText(
      'after',
      examples('flexlift demo', 'flexlift demo --keep --megabytes 1000', 'flexlift demo --stop'),
    )
    .action((flags: DemoFlags, self: Command) =>
      run(self, async (output) => {
        if (flags.stop === true) {
          const ran = await removeDemo(await demoPlace());
          output.say(ran ? 'The demo is stopped and removed.' : 'No demo ran.');
          return EXIT.done;
        }
        const { megabytes, keep = false } = flags;
        return await withInterrupt((signal) => runDemo({ megabytes, keep, output, signal }));
      }),
    );
}
