/**
 * Whether column `a` of `pg_attribute` is generated. `attgenerated` exists from 12 on; below it the name is found one level
 * further out. (Through `to_jsonb(a)` it can be had as well, but a column of type json may have a default that jsonb refuses.)
 */
export const IS_GENERATED = `EXISTS (
  SELECT FROM (SELECT ''::pg_catalog.text AS attgenerated) AS before_12
   CROSS JOIN LATERAL (SELECT FROM pg_catalog.pg_attribute g
                        WHERE g.attrelid = a.attrelid AND g.attnum = a.attnum AND attgenerated <> '') AS generated)`;
