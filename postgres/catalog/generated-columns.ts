/**
 * Whether column `a` of `pg_attribute` is generated, as part of a query that also reads from {@link BEFORE_GENERATED_COLUMNS}:
 * `attgenerated` exists from 12 on, and below it the name is found there. (Through `to_jsonb(a)` it can be had as well, but a
 * column of type json may have a default that jsonb refuses.)
 */
export const IS_GENERATED = `EXISTS (
  SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = a.attrelid AND g.attnum = a.attnum AND attgenerated <> '')`;

export const BEFORE_GENERATED_COLUMNS = `(SELECT ''::pg_catalog.text AS attgenerated) AS before_12`;
