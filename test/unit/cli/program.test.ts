import type { Command } from 'commander';
import { createProgram } from '../../../cli/program';

function help(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (piece) => (text += piece) }).outputHelp();
  return text;
}

const commands = [createProgram(), ...createProgram().commands];

test.each(commands.map((command) => [command.name(), command] as const))(
  'the help of %s has an example',
  (name, command) =>
    expect(help(command)).toMatch(new RegExp(`Examples:\\n  .*flexlift ${name === 'flexlift' ? '' : name}`)),
);

test('the online commands are there', () => {
  const names = createProgram().commands.map((command) => command.name());
  expect(names).toEqual(
    expect.arrayContaining(['cutover', 'unfence', 'pause', 'resume', 'recopy', 'cleanup']),
  );
});

describe('the flags of cutover', () => {
  async function parse(...args: string[]): Promise<unknown> {
    const program = createProgram().configureOutput({ writeErr: () => undefined });
    const cutover = program.commands.find((command) => command.name() === 'cutover') as Command;
    let flags: unknown;
    cutover.configureOutput({ writeErr: () => undefined }).action((_name: string, given: unknown) => {
      flags = given;
    });
    await program.parseAsync(['cutover', 'shop', ...args], { from: 'user' });
    return flags;
  }

  test('have safe defaults', async () => {
    expect(await parse()).toEqual({ fence: 'read-only', maxLag: 1024 ** 2, maxCompare: 1024 ** 3 });
  });

  test('are read', async () => {
    const args = [
      '--database',
      'a',
      '--database',
      'b',
      '--fence',
      'none',
      '--max-lag',
      '64kB',
      '--max-compare',
      '20GB',
      '--wait',
      '-y',
    ];
    expect(await parse(...args)).toEqual({
      ...{
        database: ['a', 'b'],
        fence: 'none',
        maxLag: 65_536,
        maxCompare: 20 * 1024 ** 3,
        wait: true,
        yes: true,
      },
    });
    expect(await parse('--abort')).toMatchObject({ abort: true });
  });

  test.each([
    [['--abort', '--wait']],
    [['--abort', '--accept-drift']],
    [['--fence', 'wall']],
    [['--max-lag', 'much']],
    [['--abort', '--max-compare', '1GB']],
  ])('refuse %j', async (args) => expect(parse(...args)).rejects.toThrow());
});
