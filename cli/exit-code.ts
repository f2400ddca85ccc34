import { FlexliftError, type FailureCode, type MigrationStatus } from '../contract';

/** What the command line ends with. Stable. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  validationFailed: 3,
  difference: 4,
  noEngine: 5,
  unverified: 6,
  detached: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_FAILURE: Partial<Record<FailureCode, ExitCode>> = {
  InvalidRequest: EXIT.usage,
  NameTaken: EXIT.usage,
  ValidationFailed: EXIT.validationFailed,
  DifferenceFound: EXIT.difference,
  TemporalUnreachable: EXIT.noEngine,
  NoWorker: EXIT.noEngine,
};

/** Wrong use of the command line; the message says what is wrong and how it is right. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

export function exitCodeOfStatus({ state, failure, databases }: MigrationStatus): ExitCode {
  switch (state) {
    case 'Succeeded':
      return EXIT.done;
    case 'SucceededUnverified':
      return EXIT.unverified;
    case 'ValidationFailed':
      return EXIT.validationFailed;
    default:
      return onlyDifferences(failure?.code, databases) ? EXIT.difference : EXIT.failed;
  }
}

export function exitCodeOfError(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof FlexliftError ? (BY_FAILURE[error.code] ?? EXIT.failed) : EXIT.failed;
}

/** Where something else failed too, the failure is the news. */
function onlyDifferences(code: FailureCode | undefined, databases: MigrationStatus['databases']): boolean {
  const codes = databases.flatMap((database) => database.failure?.code ?? []);
  return code === 'DifferenceFound' && codes.every((other) => other === 'DifferenceFound');
}
