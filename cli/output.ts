import { createColors } from 'picocolors';
import { describeFailure, type FailureFields } from '../contract';
import { formatName } from './format';

export interface OutputOptions {
  quiet?: boolean;
  verbose?: boolean;
  json?: boolean;
}

/** Data goes to stdout, everything else to stderr. */
export class Output {
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
  /** Of stdout. */
  readonly colors: ReturnType<typeof createColors>;
  /** Of stderr. */
  readonly messageColors: ReturnType<typeof createColors>;

  constructor({ quiet = false, verbose = false, json = false }: OutputOptions = {}) {
    this.quiet = quiet;
    this.verbose = verbose;
    this.json = json;
    this.colors = createColors(wantsColor(process.stdout));
    this.messageColors = createColors(wantsColor(process.stderr));
  }

  /** Whether a block can be redrawn. */
  get live(): boolean {
    return process.stderr.isTTY && process.env.TERM !== 'dumb' && !this.quiet;
  }

  data(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** For a person who waits; silent with `--quiet`. */
  say(text: string): void {
    if (!this.quiet) process.stderr.write(`${text}\n`);
  }

  /** Only with `--verbose`. */
  detail(text: string): void {
    if (this.verbose) process.stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    process.stderr.write(`${this.messageColors.yellow('Warning:')} ${text}\n`);
  }

  error(text: string): void {
    process.stderr.write(`${this.messageColors.red('Error:')} ${text}\n`);
  }
}

/** A failure in one line that a terminal can show. */
export function failureLine(failure: FailureFields): string {
  return formatName(describeFailure(failure));
}

/** See https://no-color.org. */
function wantsColor(stream: NodeJS.WriteStream): boolean {
  if (process.env.NO_COLOR) return false;
  return process.env.FORCE_COLOR
    ? process.env.FORCE_COLOR !== '0'
    : stream.isTTY && process.env.TERM !== 'dumb';
}
