#!/usr/bin/env node
import './process-title';
import { CommanderError } from 'commander';
import { EXIT } from './exit-code';
import { createProgram } from './program';

async function main(): Promise<void> {
  try {
    await createProgram().parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // --help and --version come here with 0; all else is wrong use, which commander has explained
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
}

void main();
