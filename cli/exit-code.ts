import { FlexliftError, type DatabaseStatus, type FailureCode, type MigrationStatus } from '../contract';

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

/** Of what was followed as far as it was to be: an end, or a step that waits for a person. */
export function exitCodeOfStatus({ state, failure, databases }: MigrationStatus): ExitCode {
  switch (state) {
    case 'Succeeded':
    case 'WaitingForUserAction':
      return EXIT.done;
    case 'SucceededUnverified':
      return EXIT.unverified;
    case 'ValidationFailed':
      return EXIT.validationFailed;
    case 'NeedsCleanup':
      return EXIT.failed;
    default:
      return onlyDifferences(failure?.code, databases) ? EXIT.difference : EXIT.failed;
  }
}

/** Of the cutover of these databases, once it is over. */
export function exitCodeOfCutover(databases: DatabaseStatus[]): ExitCode {
  if (databases.some(({ state }) => state === 'Failed' || state === 'NeedsCleanup')) return EXIT.failed;
  const held = databases.filter(({ cutover }) => cutover?.state !== 'Released');
  if (held.some(({ cutover }) => cutover?.failure?.code !== 'DifferenceFound')) return EXIT.failed;
  if (held.length > 0) return EXIT.difference;
  return databases.some(({ state }) => state === 'SucceededUnverified') ? EXIT.unverified : EXIT.done;
}

export function exitCodeOfError(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage;
  // Ctrl-C at a question: the terminal's own signal is not raised there
  if (error instanceof Error && error.name === 'AbortError') return EXIT.detached;
  return error instanceof FlexliftError ? (BY_FAILURE[error.code] ?? EXIT.failed) : EXIT.failed;
}

/** Where something else failed too, the failure is the news. */
function onlyDifferences(code: FailureCode | undefined, databases: MigrationStatus['databases']): boolean {
  const codes = databases.flatMap((database) => database.failure?.code ?? []);
  return code === 'DifferenceFound' && codes.every((other) => other === 'DifferenceFound');
}
