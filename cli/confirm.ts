import { createInterface } from 'node:readline/promises';
import { UsageError } from './exit-code';

/**
 * Asks before something is destroyed.
 *
 * @param flag what asks for it, e.g. `--overwrite`
 * @throws UsageError where there is nobody to ask, or the answer is not yes
 */
export async function confirmDestruction(
  flag: string,
  what: string,
  yes: boolean | undefined,
): Promise<void> {
  if (yes === true) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`${flag} ${what}. Add --yes to say that this is meant.`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-D and Ctrl-C leave a question without an answer, and some versions of Node without an error
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  try {
    const answer = await Promise.race([terminal.question(`${flag} ${what}. Go on? [y/N] `), closed]);
    if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('Nothing was done.');
  } finally {
    terminal.close();
  }
}
