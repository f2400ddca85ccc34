import type { Client } from 'pg';
import type { Difference } from '../../contract';
import { quoteQualified } from '../connect';
import { haveEqualRows } from '../ledger';
import { readMaterializedViews, type MaterializedView } from './materialized-views';
import { viewsUnderRowSecurity } from './row-security';
import { checksumRelation } from './table-checksum';
import { describeTable } from './table-description';

export interface CompareViewsRequest {
  source: Client;
  target: Client;
  signal: AbortSignal;
}

export interface ViewComparison {
  differences: Difference[];
  /**
   * Views whose rows differ as they must: the query asks for the time, the session or chance, reads a view that is out of
   * date on the source, or tables whose policies bind the view's owner and not us. Quoted names.
   */
  notComparable: string[];
}

/**
 * Compares the rows of every populated materialized view. The source's may be older than its tables while the target's
 * was just refreshed; so where the two differ, the target is held against what the view's query gives on the source
 * now. A view whose query depends on more than its tables is listed instead of compared; so is one that reads another
 * whose rows on the source are out of date, or rows that policies hide from its owner.
 */
export async function compareMaterializedViews(request: CompareViewsRequest): Promise<ViewComparison> {
  const { source, target, signal } = request;
  const onTarget = new Map((await readMaterializedViews(target)).map((view) => [view.quotedName, view]));
  const result: ViewComparison = { differences: [], notComparable: [] };
  const outOfDate = new Set<string>();
  const views = await readMaterializedViews(source);
  let bound: Set<string> | undefined;
  const isBound = async ({ quotedName }: MaterializedView) => {
    bound ??= await viewsUnderRowSecurity(source, views);
    return bound.has(quotedName);
  };
  for (const view of views) {
    signal.throwIfAborted();
    const twin = onTarget.get(view.quotedName);
    // a missing view is a difference of the catalog
    if (twin === undefined) continue;
    if (twin.populated !== view.populated) {
      const [populated, other] = view.populated ? ['source', 'target'] : ['target', 'source'];
      result.differences.push(
        difference(view, `It is populated on the ${populated} and not on the ${other}.`),
      );
    } else if (view.populated) {
      await compareRows({ source, target, view, isBound }, result, outOfDate);
    }
  }
  return result;
}

interface ViewPair {
  source: Client;
  target: Client;
  view: MaterializedView;
  /** Its query, evaluated by us, gives what its owner may not see, or is refused. */
  isBound: (view: MaterializedView) => Promise<boolean>;
}

async function compareRows(
  { source, target, view, isBound }: ViewPair,
  result: ViewComparison,
  outOfDate: Set<string>,
): Promise<void> {
  const columns = await describeTable(source, view.schema, view.name);
  const relation = `ONLY ${quoteQualified(view.schema, view.name)}`;
  const found = await checksumRelation(target, relation, columns);
  if (haveEqualRows(found, await checksumRelation(source, relation, columns))) return;
  outOfDate.add(view.quotedName);
  if (await isBound(view)) {
    result.notComparable.push(view.quotedName);
    return;
  }
  const expected = await checksumRelation(source, `(${view.query}) AS evaluated`, columns);
  if (haveEqualRows(found, expected)) return;
  if (view.reads.some((name) => outOfDate.has(name)) || (await dependsOnMoment(source, view))) {
    result.notComparable.push(view.quotedName);
    return;
  }
  const sides = `source ${expected.rows} rows, checksum ${expected.checksum}; target ${found.rows} rows, checksum ${found.checksum}`;
  result.differences.push(
    difference(view, `Its rows differ from what its query gives on the source: ${sides}.`),
  );
}

/**
 * A function that is volatile, or stable without an argument (now(), current_schema()), or age() with one, which
 * takes today's date for the other. CURRENT_DATE and its like are no functions. All stand in the stored parse tree, for
 * no dependency is kept on what comes with the server.
 */
async function dependsOnMoment(client: Client, view: MaterializedView): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT pg_catalog.bool_or(r.ev_action::pg_catalog.text LIKE '%{SQLVALUEFUNCTION %') OR EXISTS (
              SELECT FROM pg_catalog.pg_proc p
               WHERE p.oid IN (SELECT (m.found)[1]::pg_catalog.oid
                                 FROM pg_catalog.pg_rewrite own
                                CROSS JOIN LATERAL pg_catalog.regexp_matches(
                                        own.ev_action::pg_catalog.text, ':(?:funcid|opfuncid) (\\d+)', 'g') AS m(found)
                                WHERE own.ev_class = $1)
                 AND (p.provolatile = 'v' OR p.provolatile = 's' AND (p.pronargs = 0 OR p.proname = 'age'))) AS found
       FROM pg_catalog.pg_rewrite r
      WHERE r.ev_class = $1`,
    [view.oid],
  );
  return rows[0]?.found === true;
}

function difference(view: MaterializedView, message: string): Difference {
  return { kind: 'materialized-view', object: view.quotedName, message };
}
