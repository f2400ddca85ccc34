import { MOST_DIFFERENCES, type CompareCatalogStep, type CompareResult, type CutoverStep } from '../contract';
import {
  compareCatalogs,
  compareMaterializedViews,
  compareSequences,
  leftToTheTarget,
  readCatalog,
  readSequences,
} from '../postgres/compare';
import { catalogAhead, isOfTheDatabase, readCatalogAhead, sourceCatalog } from '../postgres/prove';
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
export async function compareCatalogStep(
  { database, attempt }: CompareCatalogStep,
  run: Run,
): Promise<CompareResult> {
  const { signal, request } = run;
  return await run.sessions(database, async (source, target) => {
    run.progress({ what: 'compare the catalogs' });
    const ahead = attempt === undefined ? undefined : await catalogAhead(target, attempt);
    const [there, here] = await Promise.all([sourceCatalog(source, ahead), readCatalog(target)]);
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
      ...sequences,
      ...views.differences,
      ...largeObjects,
    ];
    return { differences: differences.slice(0, MOST_DIFFERENCES) };
  });
}
