import type { Command } from 'commander';
import { stateDirectory } from '../../embedded';
import { stopEngine } from '../engine';
import { EXIT } from '../exit-code';
import { examples, run } from './common';

export function addStop(program: Command): void {
  program
    .command('stop')
    .description(
      "stop flexlift's own Temporal server and workers; migrations go on when they are started again",
    )
    .addHelpText(
      'after',
      examples('flexlift stop') +
        '\nThe next command that names a migration starts them again. Until then the source of an online one keeps all\n' +
        'its WAL, and during a cutover stays fenced: call it off first, flexlift cutover NAME --abort.\n',
    )
    .action((_flags: unknown, self: Command) =>
      run(self, async (output) => {
        const stopped = await stopEngine(stateDirectory());
        output.say(stopped.length === 0 ? 'Nothing ran.' : `Stopped: ${stopped.join(', ')}.`);
        return EXIT.done;
      }),
    );
}
