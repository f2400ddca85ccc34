import { TEST_ALL } from '../../support/all';
import type { Major } from '../../support/servers';
import { WritePair } from './write-fixture';

/** Type and texts of its values; each can be a key by itself. */
const TYPES: Record<string, string[]> = {
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
const KEYLESS_TYPES: Record<string, string[]> = {
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
  // a cast from text that is not the input function
  's.cast': ['{1}', '{2,3}'],
};

const DDL = `
  CREATE SCHEMA s; CREATE SCHEMA e;
  CREATE EXTENSION citext SCHEMA e; CREATE EXTENSION hstore SCHEMA e;
  CREATE EXTENSION ltree SCHEMA e; CREATE EXTENSION cube SCHEMA e;
  CREATE TYPE s.mood AS ENUM ('ok', 'so,so', '"');
  CREATE TABLE s.mood_table ();
  CREATE DOMAIN s.posint AS int CHECK (VALUE > 0);
  CREATE DOMAIN s.posints AS int[];
  CREATE DOMAIN s.deep AS s.posint CHECK (VALUE < 100);
  CREATE DOMAIN s.mooddomain AS s.mood;
  CREATE DOMAIN s.shout AS e.citext;
  CREATE TYPE s.pair AS (n int, t text);
  CREATE DOMAIN s.pairdomain AS s.pair;
  CREATE TYPE s.floatrange AS RANGE (subtype = float8);
  CREATE DOMAIN s.cast AS int[];
  CREATE FUNCTION s.wrong(text) RETURNS int8[] IMMUTABLE LANGUAGE sql AS 'SELECT ARRAY[13::int8]';
  CREATE CAST (text AS int8[]) WITH FUNCTION s.wrong(text);`;

const PAIRS: [Major, Major][] = TEST_ALL
  ? [
      [11, 11],
      [11, 15],
      [15, 18],
    ]
  : [[11, 18]];

test.each(PAIRS)('every type is written as it is and found again, %i to %i', async (source, target) => {
  await WritePair.with([source, target], async (pair) => {
    const keys = Object.entries(TYPES);
    const all = [...keys, ...Object.entries(KEYLESS_TYPES), ['int8[]', ['{1}', '{2,3}']] as const].filter(
      ([type]) => source >= 12 || type !== 'jsonpath',
    );
    await pair.both(
      [
        DDL,
        ...keys.map(([type], at) => `CREATE TABLE k${at} (n int, key ${type} PRIMARY KEY)`),
        ...all.map(([type], at) => `CREATE TABLE v${at} (id int PRIMARY KEY, value ${type})`),
        ...all.map(
          ([type], at) => `CREATE TABLE f${at} (n int, value ${type});
                                    ALTER TABLE f${at} REPLICA IDENTITY FULL`,
        ),
      ].join(';'),
    );
    await pair.begin();
    const run = async (statements: string[]) => {
      await pair.source.query(`SET search_path TO public; ${statements.join(';')}`);
      const written = await pair.catchUp();
      expect(written.map((each) => each.replayedStrictly)).toEqual([false]);
      await pair.expectEqual();
    };
    const constants = (values: readonly string[], type: string) =>
      values.map((value, at) => `(${at}, '${value.replaceAll("'", "''")}'::${type})`).join(', ');
    await run([
      ...keys.map(([type, values], at) => `INSERT INTO k${at} VALUES ${constants(values, type)}`),
      ...all.map(([type, values], at) => `INSERT INTO v${at} VALUES ${constants(values, type)}, (100, NULL)`),
      ...all.map(([type, values], at) => `INSERT INTO f${at} VALUES ${constants(values, type)}, (100, NULL)`),
    ]);
    await run([
      ...keys.map((_, at) => `UPDATE k${at} SET n = n + 1000`),
      // each takes the next one's value
      ...all.map(
        (_, at) =>
          `UPDATE v${at} t SET value = (SELECT value FROM v${at} o WHERE o.id > t.id ORDER BY id LIMIT 1)`,
      ),
      ...all.map((_, at) => `UPDATE f${at} SET n = n + 1000`),
    ]);
    await run([
      ...keys.map(([, values], at) => `DELETE FROM k${at} WHERE n < ${1000 + Math.min(values.length, 2)}`),
      ...all.map((_, at) => `DELETE FROM v${at} WHERE id % 2 = 1`),
      ...all.map((_, at) => `DELETE FROM f${at} WHERE n % 2 = 1`),
    ]);
    await run([...keys.map((_, at) => `DELETE FROM k${at}`), ...all.map((_, at) => `DELETE FROM f${at}`)]);
  });
});
