import type { MigrationRequest, ValidationResult } from '../contract';
import { findPgDump } from '../postgres/schema';
import { validate } from '../postgres/validate';
import type { Run } from './support/run';

/** Changes nothing anywhere; what is wrong comes back as findings, not as a failure. */
export async function validateStep(
  _step: { request: MigrationRequest },
  run: Run,
): Promise<ValidationResult> {
  const { findings, databases, concurrency } = await validate({
    request: run.request,
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    findPgDump,
    signal: run.signal,
  });
  return { findings, databases, concurrency };
}
