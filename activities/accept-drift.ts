import { FlexliftError, type AcceptDriftStep, type Difference } from '../contract';
import { exportSnapshot } from '../postgres/copy';
import { acceptDrift, driftToAccept, isDriftAccepted } from '../postgres/prove';
import { lateEntries, replaceLateEntries } from '../postgres/schema';
import { dumpArchive } from './support/dump-archive';
import type { Run } from './support/run';
import { withAnySnapshot } from './support/snapshot';

/**
 * A person has made the source's change on the target, too; where not quite, says what is missing. What the cutover will
 * make is dumped anew.
 */
export async function acceptDriftStep(step: AcceptDriftStep, run: Run): Promise<void> {
  const { identity, request: options } = run;
  await withAnySnapshot(run, step.database, async ({ source, target }) => {
    if (await isDriftAccepted(target, step.order)) return;
    const drift = await driftToAccept({ source, target });
    refuseUnlike(step.database, drift.inTheWay);
    const archive = await dumpArchive(step, run, { source, target, snapshot: await exportSnapshot(source) });
    const late = await lateEntries({ source, target, archive, options });
    const alsoFollow = () => replaceLateEntries(target, late);
    await acceptDrift({ target, identity, drift, order: step.order, alsoFollow });
  });
}

/** @throws FlexliftError SchemaDrift */
function refuseUnlike(database: string, [first, ...others]: Difference[]): void {
  if (first === undefined) return;
  throw new FlexliftError({
    code: 'SchemaDrift',
    sentence: `The drift cannot be accepted: ${first.object}: ${first.message}${others.length > 0 ? ` And ${others.length} more.` : ''}`,
    remedy: 'Make both schemas alike, then: flexlift resume --accept-drift.',
    database,
    object: first.object,
  });
}
