import { FlexliftError } from '../contract';

/** A wrong option. `option` is its path in {@link MigrationOptions}, e.g. `limits.copiesAtOnce`. */
export class RequestError extends FlexliftError {
  constructor(
    readonly option: string,
    sentence: string,
    remedy: string,
  ) {
    super({ code: 'InvalidRequest', sentence: `${option}: ${sentence}`, remedy });
    this.name = 'RequestError';
  }
}
