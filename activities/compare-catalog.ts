import type { Client } from 'pg';
import type { CompareCatalogStep, CompareResult, CutoverStep, Difference } from '../contract';
import {
  compareCatalogs,
  compareMaterializedViews,
  compareSequences,
  readCatalog,
  readSequences,
} from '../postgres/compare';
import { largeObjectsChecksum } from '../postgres/copy';
import { catalogAhead, readCatalogAhead, sourceCatalog } from '../postgres/prove';
import type { Run } from './support/run';

/** Belong to the database, not to its schemas: the release gives and proves them. */
const OF_THE_DATABASE =
  /^(database|(owner|privileges) of database|settings of (the database|role .* in the database))$/s;

/** Before the fence: what the comparison behind it needs not read then. */
export async function readSourceCatalogStep({ database, attempt }: CutoverStep, run: Run): Promise<void> {
  const { identity } = run;
  await run.session('source', database, (source) =>
    run.session('target', database, (target) => readCatalogAhead({ source, target, identity, attempt })),
  );
}

/** All but the tables' content: catalog, sequences, materialized views, large objects. */
export async function compareCatalogStep(
  { database, attempt }: CompareCatalogStep,
  run: Run,
): Promise<CompareResult> {
  const { signal, request } = run;
  return await run.session('source', database, (source) =>
    run.session('target', database, async (target) => {
      run.progress({ what: 'compare the catalogs' });
      const ahead = attempt === undefined ? undefined : await catalogAhead(target, attempt);
      const [there, here] = await Promise.all([sourceCatalog(source, ahead), readCatalog(target)]);
      const catalog = compareCatalogs(there, here, {
        ignoreOwners: request.noOwner,
        ignorePrivileges: request.noPrivileges,
      });
      run.progress({ what: 'compare the sequences' });
      const [onSource, onTarget] = await Promise.all([
        readSequences(source, signal),
        readSequences(target, signal),
      ]);
      const sequences = compareSequences(onSource, onTarget);
      run.progress({ what: 'compare the materialized views' });
      const views = await compareMaterializedViews({ source, target, signal });
      run.progress({ what: 'compare the large objects' });
      const largeObjects = await compareLargeObjects(source, target, signal);
      return {
        differences: [
          ...catalog.filter(({ object }) => !OF_THE_DATABASE.test(object)),
          ...sequences,
          ...views.differences,
          ...largeObjects,
        ],
      };
    }),
  );
}

async function compareLargeObjects(
  source: Client,
  target: Client,
  signal: AbortSignal,
): Promise<Difference[]> {
  const [there, here] = await Promise.all([
    largeObjectsChecksum(source, signal),
    largeObjectsChecksum(target, signal),
  ]);
  if (there.count === here.count && there.checksum === here.checksum) return [];
  const message =
    there.count === here.count
      ? `Both sides have ${there.count} large objects, but their content differs.`
      : `The source has ${there.count} large objects, the target ${here.count}.`;
  return [{ kind: 'large-object', object: 'large objects', message }];
}
