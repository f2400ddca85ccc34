import type { Command } from 'commander';
import type { Finding } from '../../client';
import { examineMachine } from '../../embedded';
import { EXIT } from '../exit-code';
import type { Output } from '../output';
import { addJsonFlag, examples, run } from './common';

export function addDoctor(program: Command): void {
  addJsonFlag(
    program.command('doctor').description('say what flexlift needs on this machine and whether it is there'),
  )
    .addHelpText('after', examples('flexlift doctor') + '\nEnds with 3 where something is missing.\n')
    .action((_flags: unknown, self: Command) =>
      run(self, async (output) => {
        const findings = await examineMachine();
        if (output.json) output.data(JSON.stringify({ version: 1, findings }, null, 2));
        else for (const finding of findings) output.data(findingText(finding, output));
        return findings.some(({ state }) => state === 'Failed') ? EXIT.validationFailed : EXIT.done;
      }),
    );
}

const MARKS = { Succeeded: 'ok', Warning: 'warning', Failed: 'failed' } as const;

function findingText({ rule, state, message, remedy }: Finding, { colors }: Output): string {
  const paint = { Succeeded: colors.green, Warning: colors.yellow, Failed: colors.red }[state];
  const advice = remedy === undefined ? '' : ` ${remedy}`;
  return `${paint(MARKS[state].padEnd(8))} ${rule.padEnd(16)} ${message}${advice}`;
}
