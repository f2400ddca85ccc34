/** What the shop must have, each with a query that is true where it is there, and the first major that can have it. */
export interface Feature {
  name: string;
  /** SQL of type boolean. */
  is: string;
  from?: number;
}

const table = (name: string) => `to_regclass('${name.replaceAll("'", "''")}') IS NOT NULL`;
const any = (from: string) => `EXISTS (SELECT FROM ${from})`;
const column = (type: string, owner = 'corners') =>
  any(
    `pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind = 'r' AND a.atttypid = '${type}'::regtype
       AND c.relnamespace = '${owner}'::regnamespace AND NOT a.attisdropped`,
  );
const keyOf = (type: string) =>
  any(
    `pg_index i JOIN pg_attribute a ON a.attrelid = i.indexrelid
      WHERE i.indisprimary AND i.indnkeyatts = 1 AND a.atttypid = '${type}'::regtype AND i.indexrelid >= 16384`,
  );
const relation = (condition: string) => any(`pg_class WHERE oid >= 16384 AND ${condition}`);
const index = (condition: string) => any(`pg_index WHERE indexrelid >= 16384 AND ${condition}`);
const indexMethod = (method: string) =>
  any(`pg_class c JOIN pg_am m ON m.oid = c.relam WHERE c.oid >= 16384 AND m.amname = '${method}'`);
const constraint = (condition: string) => any(`pg_constraint WHERE oid >= 16384 AND ${condition}`);
const partitioned = (strategy: string) => any(`pg_partitioned_table WHERE partstrat = '${strategy}'`);
const trigger = (condition: string) => any(`pg_trigger WHERE NOT tgisinternal AND ${condition}`);
const routine = (condition: string) => any(`pg_proc WHERE oid >= 16384 AND probin IS NULL AND ${condition}`);
const comment = (catalog: string) =>
  any(`pg_description WHERE classoid = '${catalog}'::regclass AND objoid >= 16384`);

const KEYS: Feature[] = [
  ...['bigint', 'integer', 'smallint', 'uuid', 'text', 'date', 'numeric', 'bytea', 'timestamptz'].map(
    (type) => ({ name: `key of ${type}`, is: keyOf(type) }),
  ),
  { name: 'key of two columns', is: index('indisprimary AND indnkeyatts = 2') },
  { name: 'table without any key', is: `NOT ${index(`indrelid = 'shop.audit_log'::regclass`)}` },
  { name: 'deferrable key', is: index('indisprimary AND NOT indimmediate') },
  { name: 'identity ALWAYS', is: any(`pg_attribute WHERE attidentity = 'a'`) },
  { name: 'identity BY DEFAULT', is: any(`pg_attribute WHERE attidentity = 'd'`) },
  { name: 'negative keys', is: any('shop.measurements WHERE id < 0') },
  ...['f', 'i', 'n'].map((kind) => ({
    name: `replica identity ${kind}`,
    is: relation(`relreplident = '${kind}' AND relnamespace = 'corners'::regnamespace`),
  })),
];

const TABLES: Feature[] = [
  { name: 'partitions by range', is: partitioned('r') },
  { name: 'partitions by list', is: partitioned('l') },
  { name: 'partitions by hash', is: partitioned('h') },
  { name: 'default partition', is: any('pg_partitioned_table WHERE partdefid <> 0') },
  {
    name: 'partitions in three levels',
    is: any(`pg_inherits a JOIN pg_inherits b ON b.inhparent = a.inhrelid JOIN pg_class c ON c.oid = b.inhrelid
              WHERE c.relkind = 'p'`),
  },
  { name: 'two parents', is: any('pg_inherits WHERE inhseqno = 2') },
  {
    name: 'reference to a partitioned table',
    from: 12,
    is: constraint(`confrelid = 'shop.payments'::regclass`),
  },
  { name: 'no rows', is: 'NOT EXISTS (SELECT FROM corners.no_rows)' },
  {
    name: 'no columns, three rows',
    is: `(SELECT relnatts FROM pg_class WHERE oid = 'corners.no_columns'::regclass) = 0
         AND (SELECT count(*) FROM corners.no_columns) = 3`,
  },
  { name: '1,600 columns', is: relation('relnatts = 1600') },
  { name: 'unlogged table', is: relation(`relpersistence = 'u' AND relkind = 'r'`) },
  { name: 'typed table', is: relation('reloftype <> 0') },
  { name: 'dropped column', is: any('pg_attribute WHERE attisdropped AND attrelid >= 16384') },
  { name: 'column added with a default', is: any('pg_attribute WHERE atthasmissing') },
  {
    name: 'generated column',
    from: 12,
    is: any(`pg_attribute WHERE to_jsonb(pg_attribute) ->> 'attgenerated' = 's'`),
  },
  {
    name: 'virtual column',
    from: 18,
    is: any(`pg_attribute WHERE to_jsonb(pg_attribute) ->> 'attgenerated' = 'v'`),
  },
  { name: 'table of the superuser', is: table('public.owned_by_the_superuser') },
  ...[
    'shop."Order Lines"',
    'corners."naïve.tàble"',
    'corners."emoji 🐘"',
    'corners."say ""hi"""',
    'corners."new\nline"',
    '"empty ""schema"" 🐘"."shop.orders"',
  ].map((name) => ({ name: JSON.stringify(name), is: table(name) })),
  { name: 'name of 63 bytes', is: relation(`octet_length(relname) = 63 AND relkind = 'r'`) },
];

const TYPES: Feature[] = [
  ...['shop.order_status', 'shop.sku', 'shop.dimensions', 'shop.time_range', 'extensions.hstore'].flatMap(
    (type) => [{ name: `column of ${type}`, is: column(type) }],
  ),
  ...[
    'shop.order_status[]',
    'shop.amount[]',
    'shop.parcel[]',
    'shop.time_range[]',
    'extensions.citext[]',
  ].map((type) => ({ name: `column of ${type}`, is: column(type) })),
  ...[
    'regclass',
    'regprocedure',
    'aclitem',
    'xml',
    'money',
    'pg_lsn',
    'tid',
    'json',
    'interval',
    'macaddr8',
  ].map((type) => ({ name: `column of ${type}`, is: column(type) })),
  { name: 'column of jsonpath', from: 12, is: `to_regclass('corners.json_paths') IS NOT NULL` },
  { name: 'column of a multirange', from: 14, is: table('corners.multiranges') },
  {
    name: 'NaN, infinity, -0, BC',
    is: `${any(`corners.all_types WHERE a_double = 'NaN'`)} AND ${any(`corners.all_types WHERE a_date = 'infinity'`)}
      AND ${any(`corners.all_types WHERE float8send(a_double) = '\\x8000000000000000'`)}
      AND ${any(`corners.all_types WHERE extract(year FROM a_date) < -4000`)}`,
  },
  { name: 'domain with a check', is: constraint(`contypid <> 0 AND contype = 'c'`) },
  {
    name: 'composite with a dropped attribute',
    is: any(`pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind = 'c' AND a.attisdropped`),
  },
  { name: 'ICU collation', is: any(`pg_collation WHERE collprovider = 'i' AND oid >= 16384`) },
  { name: 'text search configuration', is: any('pg_ts_config WHERE oid >= 16384') },
  {
    name: 'aggregate',
    is: any(`pg_aggregate WHERE aggfnoid::oid >= 16384 AND aggfnoid::text LIKE '%product'`),
  },
  { name: 'operator', is: any(`pg_operator WHERE oprname = '=~='`) },
  { name: 'cast', is: any(`pg_cast WHERE castsource = 'shop.celsius'::regtype`) },
  ...['hstore', 'citext', 'pg_trgm', 'btree_gist', 'uuid-ossp', 'pgcrypto', 'ltree'].map((name) => ({
    name: `extension ${name}`,
    is: any(`pg_extension WHERE extname = '${name}'`),
  })),
];

const BESIDES: Feature[] = [
  { name: 'references in a cycle', is: `${constraint(`conname = 'departments_head_fkey' AND condeferred`)}` },
  { name: 'exclusion constraint', is: constraint(`contype = 'x'`) },
  {
    name: 'constraint not valid, broken by rows',
    is: `${constraint('NOT convalidated')} AND ${any('corners.not_valid WHERE price < 0')}`,
  },
  ...['gin', 'gist', 'spgist', 'brin', 'hash'].map((method) => ({
    name: `index ${method}`,
    is: indexMethod(method),
  })),
  { name: 'partial index', is: index('indpred IS NOT NULL') },
  { name: 'index over an expression', is: index('indexprs IS NOT NULL') },
  { name: 'index with INCLUDE', is: index('indnatts > indnkeyatts') },
  {
    name: 'nulls not distinct',
    from: 15,
    is: index(`to_jsonb(pg_index) ->> 'indnullsnotdistinct' = 'true'`),
  },
  { name: 'extended statistics', is: any('pg_statistic_ext') },
  { name: 'values out of line', is: any('shop.documents WHERE octet_length(scan) > 20000') },
  { name: 'zero bytes', is: any(`corners.copy_bytes WHERE position('\\x00'::bytea IN value) > 0`) },
  { name: 'large objects', is: '(SELECT count(*) FROM pg_largeobject_metadata) > 100' },
  {
    name: 'large object with an owner and rights',
    is: any(`pg_largeobject_metadata WHERE lomowner = 'shop_owner'::regrole AND lomacl IS NOT NULL`),
  },
  {
    name: 'large object with a comment',
    is: any(`pg_description WHERE classoid = 'pg_largeobject'::regclass`),
  },
  { name: 'view grouped by a key', is: table('shop.orders_with_totals') },
  { name: 'materialized view, filled', is: relation(`relkind = 'm' AND relispopulated`) },
  { name: 'materialized view, not filled', is: relation(`relkind = 'm' AND NOT relispopulated`) },
  { name: 'procedure', is: routine(`prokind = 'p'`) },
  { name: 'security definer', is: routine('prosecdef AND proconfig IS NOT NULL') },
  { name: 'SQL body', from: 14, is: routine(`to_jsonb(pg_proc) ->> 'prosqlbody' IS NOT NULL`) },
  { name: "body like a dump's", is: routine(`prosrc LIKE '%\n-- Name: %\n%'`) },
  ...['D', 'A', 'R'].map((state) => ({ name: `trigger ${state}`, is: trigger(`tgenabled = '${state}'`) })),
  { name: 'statement trigger', is: trigger('tgtype & 1 = 0') },
  { name: 'constraint trigger', is: trigger('tgconstraint <> 0') },
  { name: 'event trigger', is: any(`pg_event_trigger WHERE evtname = 'keep_employees'`) },
  { name: 'rule', is: any(`pg_rewrite WHERE rulename = 'keep_calendar'`) },
  { name: 'row security', is: relation('relrowsecurity AND relforcerowsecurity') },
  { name: 'policies', is: '(SELECT count(*) FROM pg_policy) >= 4' },
  { name: 'column grants', is: any('pg_attribute WHERE attacl IS NOT NULL AND attrelid >= 16384') },
  { name: 'default privileges', is: any('pg_default_acl') },
  { name: 'publication', is: any(`pg_publication_tables WHERE pubname = 'shop feed'`) },
  { name: 'descending sequence', is: any('pg_sequence WHERE seqincrement < 0') },
  { name: 'cycling sequence', is: any('pg_sequence WHERE seqcycle') },
  { name: 'smallint sequence', is: any(`pg_sequence WHERE seqtypid = 'smallint'::regtype`) },
  { name: 'sequence never called', is: `pg_sequence_last_value('corners.never_called'::regclass) IS NULL` },
  ...[
    'pg_class',
    'pg_proc',
    'pg_type',
    'pg_constraint',
    'pg_trigger',
    'pg_rewrite',
    'pg_policy',
    'pg_publication',
    'pg_operator',
    'pg_cast',
    'pg_event_trigger',
  ].map((catalog) => ({ name: `comment in ${catalog}`, is: comment(catalog) })),
  {
    name: 'settings of the database',
    is: any(
      `pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE s.setrole = 0 AND d.datname = current_database()`,
    ),
  },
  {
    name: 'settings of a role here',
    is: any(
      `pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE s.setrole <> 0 AND d.datname = current_database()`,
    ),
  },
  {
    name: 'owner, limit, rights and comment of the database',
    is: any(`pg_database WHERE datname = current_database() AND datdba = 'shop_owner'::regrole AND datconnlimit = 60
              AND datacl IS NOT NULL AND shobj_description(oid, 'pg_database') IS NOT NULL`),
  },
];

export const SHOP_FEATURES: Feature[] = [...KEYS, ...TABLES, ...TYPES, ...BESIDES];
