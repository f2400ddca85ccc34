import type { Client } from 'pg';
import {
  MOST_DIFFERENCES,
  MOST_NOT_COMPARED,
  type CompareCatalogStep,
  type CompareResult,
  type CutoverStep,
  type Difference,
} from '../contract';
import {
  compareCatalogs,
  compareMaterializedViews,
  compareSequences,
  leftToTheTarget,
  readCatalog,
  readSequences,
} from '../postgres/compare';
import { quoteIdentifier } from '../postgres/connect';
import { changedProperties } from '../postgres/database';
import { propertiesBehindFence } from '../postgres/fence';
import {
  catalogAhead,
  isOfTheDatabase,
  noteComparedCatalog,
  readCatalogAhead,
  sourceCatalog,
} from '../postgres/prove';
import { compareLargeObjects } from './compare-large-objects';
import type { Run } from './support/run';

/** Before the fence: what the comparison behind it needs not read then. */
export async function readSourceCatalogStep({ database, attempt }: CutoverStep, run: Run): Promise<void> {
  const { identity } = run;
  await run.sessions(database, (source, target) => readCatalogAhead({ source, target, identity, attempt }));
}

/**
 * All but the tables' content: catalog, sequences, materialized views and, offline, large objects. Online those are
 * compared at the very end, for they can be written behind the fence.
 */
export async function compareCatalogStep(step: CompareCatalogStep, run: Run): Promise<CompareResult> {
  const { signal, request } = run;
  const { database, attempt } = step;
  return await run.sessions(database, async (source, target) => {
    run.progress({ what: 'compare the catalogs' });
    const ahead = attempt === undefined ? undefined : await catalogAhead(target, attempt);
    const [{ catalog: there, mark }, here] = await Promise.all([
      sourceCatalog(source, ahead),
      readCatalog(target),
    ]);
    if (attempt !== undefined) await noteComparedCatalog({ target, identity: run.identity, attempt, mark });
    const catalog = compareCatalogs(there, here, {
      ignoreOwners: request.noOwner,
      ignorePrivileges: request.noPrivileges,
      ignoredIdentities: leftToTheTarget(there),
    });
    run.progress({ what: 'compare the sequences' });
    const [onSource, onTarget] = await Promise.all([
      readSequences(source, signal),
      readSequences(target, signal),
    ]);
    const sequences = compareSequences(onSource, onTarget);
    run.progress({ what: 'compare the materialized views' });
    const views = await compareMaterializedViews({ source, target, signal });
    const largeObjects = request.mode === 'Online' ? [] : await compareLargeObjects(source, target, signal);
    const differences = [
      ...catalog.filter(({ object }) => !isOfTheDatabase(object)),
      ...(await compareProperties(source, target, step)),
      ...sequences,
      ...views.differences,
      ...largeObjects,
    ];
    const notCompared = views.notComparable.slice(0, MOST_NOT_COMPARED);
    return {
      differences: differences.slice(0, MOST_DIFFERENCES),
      ...(notCompared.length === 0 ? {} : { notCompared }),
    };
  });
}

/** The release gives the target what was read right before the fence, and proves that. */
async function compareProperties(
  source: Client,
  target: Client,
  { request: { noOwner, noPrivileges }, database, fence }: CompareCatalogStep,
): Promise<Difference[]> {
  if (fence === undefined) return [];
  const changed = await changedProperties({
    target,
    read: (known) => propertiesBehindFence(source, known, fence),
    noOwner,
    noPrivileges,
  });
  if (changed.length === 0) return [];
  const message = `The source's ${changed.join(', ')} changed behind the fence.`;
  return [{ kind: 'catalog', object: `database ${quoteIdentifier(database)}`, message }];
}
