/** Type and texts of its values; each can be a key by itself. */
export const KEY_TYPES: Record<string, string[]> = {
  bool: ['t', 'f'],
  int2: ['0', '-32768'],
  int4: ['1', '-2147483648'],
  int8: ['9223372036854775807', '-9223372036854775808'],
  oid: ['0', '4294967295'],
  '"char"': ['a', '', '\\'],
  name: ['näme', '"\\'],
  text: ['', 'NULL', '\\N', '\\.', '{}', '"', 'a,b', 'tab\t line\n return\r back\\ {"}', '😀 № ß', 'null'],
  'varchar(7)': ['1234567', ' '],
  'char(5)': ['ab', 'a"\\{,'],
  bytea: ['\\x', '\\x00ff005c2c22'],
  numeric: ['0.0', '1.00', 'NaN', '-1e-30', '1e100'],
  'numeric(10,2)': ['1.00', '-12345678.90'],
  float4: ['NaN', '0.1', '3.4028235e38', '-0'],
  float8: ['-0', '0.30000000000000004', 'Infinity', '5e-324', 'NaN'],
  date: ['infinity', '4713-01-01 BC', '2024-02-29'],
  time: ['24:00:00', '12:34:56.789012'],
  timetz: ['12:34:56.7+13:30', '00:00:00+00'],
  timestamp: ['-infinity', '2024-02-29 12:34:56.789'],
  'timestamp(3)': ['2024-02-29 12:34:56.789', 'infinity'],
  timestamptz: ['infinity', '4714-11-24 00:00:00+00 BC'],
  interval: ['1 mon', '-1 year +2 mons -3 days 04:05:06.789'],
  'interval day to second(3)': ['1 day 02:03:04.567', '0'],
  money: ['$1.00', '-$92,233,720,368,547,758.07'],
  uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '00000000-0000-0000-0000-000000000000'],
  'bit(5)': ['10101', '00000'],
  varbit: ['', '1010101'],
  inet: ['10.1.2.3/8', '::1'],
  cidr: ['10.0.0.0/8', '::/0'],
  macaddr: ['08:00:2b:01:02:03', '08:00:2b:01:02:04'],
  macaddr8: ['08:00:2b:01:02:03:04:05', '08:00:2b:01:02:03:04:06'],
  jsonb: ['{"a": [1, null, "é,\\"\\\\"]}', 'null'],
  tsvector: ["'a b':1A,2B 'ünï'", ''],
  tsquery: ["'a' & !( 'b' | 'c d':*AB )", "'a' <-> 'e'"],
  int4range: ['[1,10)', 'empty', '(,)'],
  tstzrange: ['["2024-01-01 00:00:00+00",)', 'empty'],
  'int4[]': ['{}', '[0:1]={1,2}', '{{1,NULL},{3,4}}'],
  'text[]': ['{"NULL",NULL,"a,b","\\""}', '{}', '{"\\\\"}'],
  'float8[]': ['{NaN,-0}', '{0.1}'],
  'varchar(3)[]': ['{abc,d}', '{NULL}'],
  'char(3)[]': ['{abc,d}', '{NULL}'],
  'bit(3)[]': ['{101,010}', '{NULL}'],
  tid: ['(0,1)', '(4294967295,65535)'],
  pg_lsn: ['16/B374D848', '0/0'],
  oidvector: ['1 2 3', ''],
  regclass: ['pg_class', 's.mood_table'],
  's.mood': ['so,so', '"', 'ok'],
  's.mood[]': ['{"so,so",ok}', '{}'],
  's.posint': ['7', '8'],
  's.posint[]': ['{7,8}', '{NULL}'],
  's.posints': ['{1,2}', '{3}'],
  's.deep': ['5', '6'],
  's.code': ['DE', 'DK'],
  's.code[]': ['{DE,DK}', '{D}'],
  's.codes': ['{DE,DK}', '{D}'],
  's.flags': ['10101', '10110'],
  's.mooddomain': ['ok', '"'],
  's.shout': ['A', 'b'],
  's.pair': ['(1,"a ""quoted"", b\\\\")', '(1,)'],
  's.pair[]': ['{"(1,x)",NULL}', '{}'],
  's.pairdomain': ['(1,x)', '(2,)'],
  's.floatrange': ['[0.1,1e+300)', 'empty'],
  'e.citext': ['MiXed', 'b'],
  'e.citext[]': ['{MiXed,b}', '{}'],
  'e.hstore': ['"a"=>"b,\\"", "c"=>NULL', ''],
  'e.ltree': ['a.b', 'a.c'],
  'e.cube': ['(0.1)', '(1, 2),(3, 4)'],
};

/** No order, hence no key. */
export const KEYLESS_TYPES: Record<string, string[]> = {
  json: ['{"a" : 1,  "a":2}', 'null'],
  xml: ['a <b/> mixed', '<a>ä</a>'],
  point: ['(0.1,-0)', '(NaN,1)'],
  lseg: ['[(0,0),(1,1e+100)]', '[(0,0),(1,1)]'],
  line: ['{1,-1,0}', '{1,2,3}'],
  box: ['(1,1),(0,0)', '(1.1,1),(0,0)'],
  'box[]': ['{(1,1),(0,0);(2,2),(1,1)}', '{}'],
  path: ['[(0,0),(1,1)]', '((0,0),(1,1))'],
  polygon: ['((0,0),(1,1),(2,0))', '((0,0),(1,1))'],
  circle: ['<(0,0),2.5>', '<(0.1,0),0>'],
  xid: ['4294967295', '0'],
  txid_snapshot: ['10:20:10,14,15', '10:20:'],
  aclitem: ['postgres=r/postgres', '=r/postgres'],
  jsonpath: ['$."a"[*]?(@ > 2)', '$'],
  's.cast': ['{1}', '{2,3}'],
};

/** What the types of the catalog need. */
export const TYPES_DDL = `
  CREATE SCHEMA s; CREATE SCHEMA e;
  CREATE EXTENSION citext SCHEMA e; CREATE EXTENSION hstore SCHEMA e;
  CREATE EXTENSION ltree SCHEMA e; CREATE EXTENSION cube SCHEMA e;
  CREATE TYPE s.mood AS ENUM ('ok', 'so,so', '"');
  CREATE TABLE s.mood_table ();
  CREATE DOMAIN s.posint AS int CHECK (VALUE > 0);
  CREATE DOMAIN s.posints AS int[];
  CREATE DOMAIN s.deep AS s.posint CHECK (VALUE < 100);
  CREATE DOMAIN s.code AS char(2);
  CREATE DOMAIN s.codes AS char(2)[];
  CREATE DOMAIN s.flags AS bit(5);
  CREATE DOMAIN s.mooddomain AS s.mood;
  CREATE DOMAIN s.shout AS e.citext;
  CREATE TYPE s.pair AS (n int, t text);
  CREATE DOMAIN s.pairdomain AS s.pair;
  CREATE TYPE s.floatrange AS RANGE (subtype = float8);
  CREATE DOMAIN s.cast AS int[];`;
