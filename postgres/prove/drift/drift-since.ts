import type { Client } from 'pg';
import type { Difference } from '../../../contract';
import { compareCatalogs, readCatalog, type Catalog, type CatalogWords } from '../../compare';
import { inSnapshot } from '../../ledger';
import { withoutDatabase, withoutPositions } from './comparable-catalog';
import { renamedObjects } from './renamed-objects';

export interface DriftOptions {
  /** Owners are not migrated, see `--no-owner`. Default false. */
  ignoreOwners?: boolean;
  /** GRANTs are not migrated, see `--no-privileges`. Default false. */
  ignorePrivileges?: boolean;
}

/**
 * What changed in the source's schema since it was dumped; without what the migration itself made or set there. Reads the
 * whole catalog: see {@link DriftWatch} for looking again and again.
 *
 * @param args.source outside of a transaction
 */
export async function driftSince(
  args: { source: Client; dumped: Catalog } & DriftOptions,
): Promise<Difference[]> {
  return driftBetween(args.dumped, await presentCatalog(args.source), args);
}

/** All of one snapshot; outside of a transaction. */
export async function presentCatalog(source: Client): Promise<Catalog> {
  return withoutDatabase(await inSnapshot(source, () => readCatalog(source)));
}

export function driftBetween(dumped: Catalog, present: Catalog, options: DriftOptions = {}): Difference[] {
  const [before, now] = [
    withoutPositions(withoutDatabase(dumped)),
    withoutPositions(withoutDatabase(present)),
  ];
  const renamed = renamedObjects(before.objects, now.objects);
  const differences = compareCatalogs(before, now, { ...options, words: WORDS });
  const newNames = new Set(renamed.values());
  return differences
    .filter(({ object }) => !newNames.has(object))
    .map((difference) => {
      const newName = renamed.get(difference.object);
      if (newName === undefined) return difference;
      return {
        ...difference,
        message: `${subject(difference.object)} was renamed to ${newName}, or replaced by it, ${SINCE}.`,
      };
    });
}

const SINCE = 'on the source since the schema was dumped';

const WORDS: CatalogWords = {
  missing: (object) => `${subject(object)} was dropped or renamed ${SINCE}.`,
  added: (object) => `${subject(object)} was added ${SINCE}.`,
  differs: (object) => `${subject(object)} was changed ${SINCE}:`,
  source: 'was',
  target: 'is',
};

const KINDS = /^(?:materialized view|foreign table|event trigger|[a-z]+)(?= ")/;

/** `The column`; of a grant or a comment `It`. */
function subject(object: string): string {
  const [kind] = KINDS.exec(object) ?? [];
  return kind === undefined ? 'It' : `The ${kind}`;
}
