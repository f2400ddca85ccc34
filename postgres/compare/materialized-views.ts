import type { Client } from 'pg';
import { quoteQualified } from '../connect';

export interface MaterializedView {
  oid: number;
  schema: string;
  name: string;
  /** Quoted, schema-qualified. */
  quotedName: string;
  populated: boolean;
  /** Without the final semicolon. */
  query: string;
  /** Quoted names of the materialized views that it reads, straight or through other views. */
  reads: string[];
}

/** All materialized views of the users, each behind those that it reads, straight or through plain views. */
export async function readMaterializedViews(client: Client): Promise<MaterializedView[]> {
  const views = await client.query<
    Omit<MaterializedView, 'quotedName' | 'reads'> & { materialized: boolean }
  >(
    `SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind = 'm' AS materialized,
            c.relispopulated AS populated,
            CASE WHEN c.relkind = 'm' THEN pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';') END AS query
       FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'flexlift')
      ORDER BY n.nspname, c.relname`,
  );
  const readBy = await readDependencies(client);
  const byOid = new Map(views.rows.map((view) => [view.oid, view]));
  const ordered: MaterializedView[] = [];
  const visited = new Set<number>();
  const materializedBelow = new Map<number, Set<string>>();
  const visit = (oid: number): void => {
    const view = byOid.get(oid);
    if (view === undefined || visited.has(oid)) return;
    visited.add(oid);
    const below = new Set<string>();
    materializedBelow.set(oid, below);
    for (const used of readBy.get(oid) ?? []) {
      visit(used);
      for (const name of materializedBelow.get(used) ?? []) below.add(name);
      const read = byOid.get(used);
      if (read?.materialized === true) below.add(quoteQualified(read.schema, read.name));
    }
    const { materialized, ...rest } = view;
    const quotedName = quoteQualified(view.schema, view.name);
    if (materialized) ordered.push({ ...rest, quotedName, reads: [...below] });
  };
  for (const view of views.rows) visit(view.oid);
  return ordered;
}

async function readDependencies(client: Client): Promise<Map<number, number[]>> {
  const { rows } = await client.query<{ view: number; used: number[] }>(
    `SELECT r.ev_class AS view, pg_catalog.array_agg(DISTINCT d.refobjid) AS used
       FROM pg_catalog.pg_rewrite r
       JOIN pg_catalog.pg_depend d
         ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
      GROUP BY r.ev_class`,
  );
  return new Map(rows.map((row) => [row.view, row.used.map(Number)]));
}
