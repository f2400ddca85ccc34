import { quoteQualified } from '../../connect';
import { isUserMade } from '../../catalog';
import { enumerate, failed, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';

/** What the versions between source and target took away; the sources are the release notes of 12 and 14. */
export const removedFeatures: Rule<DatabaseContext> = {
  id: 'removed-features',
  holds: "The source uses nothing that the target's version has not any more.",
  async check(context) {
    const { major } = context.target.version;
    return [
      ...(major >= 12 ? await hiddenOids(context) : []),
      ...(major >= 12 ? await removedTypes(context) : []),
      ...(major >= 14 ? await postfixOperators(context) : []),
    ];
  },
};

async function hiddenOids({ sourceClient }: DatabaseContext): Promise<Verdict[]> {
  // the column is gone from 12 on: a row as JSON has it where it is there
  const { rows } = await sourceClient.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, o.relname AS name
       FROM pg_catalog.pg_class o JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
      WHERE o.relkind IN ('r', 'p') AND (pg_catalog.to_jsonb(o) ->> 'relhasoids')::boolean
        AND ${isUserMade('o')}
      ORDER BY 1, 2`,
  );
  if (rows.length === 0) return [];
  return [
    warning(
      `Tables WITH OIDS lose their hidden column oid on the target: ${enumerate(rows.map((row) => quoteQualified(row.schema, row.name)))}.`,
      'Add an ordinary column with these values on the source, if the application reads them.',
    ),
  ];
}

async function removedTypes({ sourceClient }: DatabaseContext): Promise<Verdict[]> {
  const { rows } = await sourceClient.query<{ schema: string; name: string }>(
    `SELECT DISTINCT n.nspname AS schema, c.relname AS name
       FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.oid >= 16384
        AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
        AND t.typname IN ('abstime', 'reltime', 'tinterval', '_abstime', '_reltime', '_tinterval')
      ORDER BY 1, 2`,
  );
  if (rows.length === 0) return [];
  return [
    failed(
      `Columns of type abstime, reltime or tinterval, which the target has not: ${enumerate(rows.map((row) => quoteQualified(row.schema, row.name)))}.`,
      'Change their type on the source, for instance to timestamptz or interval.',
    ),
  ];
}

async function postfixOperators({ sourceClient }: DatabaseContext): Promise<Verdict[]> {
  const { rows } = await sourceClient.query<{ operator: string }>(
    `SELECT pg_catalog.pg_describe_object(o.tableoid, o.oid, 0) AS operator
       FROM pg_catalog.pg_operator o WHERE o.oprkind = 'r' AND ${isUserMade('o')} ORDER BY 1`,
  );
  if (rows.length === 0) return [];
  return [
    failed(
      `Postfix operators, which the target has not: ${enumerate(rows.map((row) => row.operator))}.`,
      'Drop them on the source; call their function instead.',
    ),
  ];
}
