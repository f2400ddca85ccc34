import type { Command } from 'commander';
import { FlexliftError, NameTakenError, RequestError } from '../../client';
import { exitCodeOfError, UsageError, type ExitCode } from '../exit-code';
import { flagOf } from '../options/migration-flags';
import { Output, type OutputOptions } from '../output';

export type CommonFlags = OutputOptions;

export function addJsonFlag(command: Command): Command {
  return command.option('--json', 'print JSON, version 1, on stdout');
}

export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

/** Runs a command's work; what it throws becomes one sentence on stderr and an exit code. */
export async function run(command: Command, work: (output: Output) => Promise<ExitCode>): Promise<void> {
  const output = new Output(command.optsWithGlobals<CommonFlags>());
  process.exitCode = await work(output).catch((error: unknown) => {
    output.error(errorText(error));
    if (error instanceof Error && !isExpected(error)) output.detail(error.stack ?? '');
    return exitCodeOfError(error);
  });
}

/** Names the flag behind an option of the program interface. */
export function errorText(error: unknown): string {
  if (error instanceof RequestError || error instanceof NameTakenError) {
    const flag = flagOf(error.option);
    return flag === undefined ? error.message : `${flag}: ${error.message}`;
  }
  return error instanceof Error ? error.message : String(error);
}

function isExpected(error: Error): boolean {
  return error instanceof FlexliftError || error instanceof UsageError;
}
