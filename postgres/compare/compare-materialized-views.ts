import type { Client } from 'pg';
import type { Difference } from '../../contract';
import { FIRST_USER_OID } from '../catalog';
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
   * Views whose rows differ as they may: as many with other values, or the query asks for the time, the session, chance or
   * the server, reads a view that is out of date on the source, or tables whose policies bind the view's owner and not us.
   * Quoted names.
   */
  notComparable: string[];
}

/**
 * Compares the rows of every populated materialized view, whose tables are proven equal. The source's may be older than its tables while the target's
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
  // sums of floats, texts put together and the like depend on the order of rows, which is another on each side
  const hasOtherValues = found.rows === expected.rows;
  const isOutOfDate = view.reads.some((name) => outOfDate.has(name));
  if (hasOtherValues || isOutOfDate || (await dependsOnMoment(source, view))) {
    result.notComparable.push(view.quotedName);
    return;
  }
  const sides = `source ${expected.rows} rows, checksum ${expected.checksum}; target ${found.rows} rows, checksum ${found.checksum}`;
  result.differences.push(
    difference(view, `Its rows differ from what its query gives on the source: ${sides}.`),
  );
}

/**
 * In the view's query, or that of a plain view which it reads: a function that is volatile, or stable and either a user's
 * or without an argument (now(), current_schema()), or age() with one, which takes today's date for the other; and tables of
 * the server itself. CURRENT_DATE and its like are no functions. All stand in the stored parse tree, for no dependency is
 * kept on what comes with the server.
 */
async function dependsOnMoment(client: Client, view: MaterializedView): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `WITH RECURSIVE views(oid) AS (
       SELECT $1::pg_catalog.oid
        UNION
       SELECT c.oid
         FROM views v
         JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
         JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
         JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'),
     queries AS (
       SELECT r.ev_action::pg_catalog.text AS tree FROM pg_catalog.pg_rewrite r JOIN views v ON v.oid = r.ev_class),
     numbers AS (
       SELECT m.found[1] AS kind, m.found[2]::pg_catalog.oid AS oid
         FROM queries CROSS JOIN LATERAL pg_catalog.regexp_matches(tree, ':(funcid|opfuncid|relid) (\\d+)', 'g') AS m(found))
     SELECT EXISTS (SELECT FROM queries WHERE tree LIKE '%{SQLVALUEFUNCTION %')
            OR EXISTS (SELECT FROM numbers WHERE kind = 'relid' AND oid > 0 AND oid < ${FIRST_USER_OID})
            OR EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN numbers n ON n.oid = p.oid AND n.kind <> 'relid'
                        WHERE p.provolatile = 'v'
                           OR p.provolatile = 's' AND (p.pronargs = 0 OR p.proname = 'age' OR p.oid >= ${FIRST_USER_OID}))
              AS found`,
    [view.oid],
  );
  return rows[0]?.found === true;
}

function difference(view: MaterializedView, message: string): Difference {
  return { kind: 'materialized-view', object: view.quotedName, message };
}
