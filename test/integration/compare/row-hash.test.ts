import type { Client } from 'pg';
import { quoteIdentifier } from '../../../postgres/connect';
import { describeTable, hashExpression } from '../../../postgres/compare';
import {
  createTestDatabase,
  dropTestDatabase,
  MAJORS,
  testEndpoint,
  withSession,
} from '../../support/servers';
import { withConnection } from '../../../postgres/connect';

/** Type → values that must all hash differently, in the order in which they are loaded. */
const VALUES: Record<string, string[]> = {
  bool: ['t', 'f'],
  int2: ['0', '1', '-1', '32767', '-32768'],
  int4: ['0', '1', '-1', '2147483647', '-2147483648'],
  int8: ['0', '1', '-1', '4294967295', '4294967296', '9223372036854775807', '-9223372036854775808'],
  oid: ['0', '1', '4294967295'],
  '"char"': ['a', 'b', ''],
  name: ['a', 'A', 'a ', ''],
  text: ['', ' ', 'a', 'a ', 'A', 'ä', 'a\u0308', '🙂', 'NULL', '\\N', 'line\nbreak\ttab\\', '0'],
  'varchar(20)': ['', 'a', 'a ', 'a  '],
  'char(5)': ['', 'a', 'b', 'abcde'],
  bpchar: ['', 'a', 'a ', 'a  '],
  bytea: ['\\x', '\\x00', '\\x0000', '\\xff', '\\x61'],
  numeric: ['0', '0.0', '1', '1.0', '1.00', '-1', 'NaN', '1e-20', '1e50', '0.1'],
  'numeric(10,2)': ['1.00', '1.01', '-1.00'],
  money: ['$0.00', '$1.00', '-$1.00', '$92,233,720,368,547,758.07'],
  float4: ['0', '-0', '1', '0.1', 'NaN', 'Infinity', '-Infinity', '3.4028235e38', '1e-45'],
  float8: [
    '0',
    '-0',
    '1',
    '0.1',
    '0.30000000000000004',
    'NaN',
    'Infinity',
    '-Infinity',
    '1.7976931348623157e308',
    '5e-324',
  ],
  date: ['2000-01-01', '4713-01-01 BC', '5874897-12-31', 'infinity', '-infinity', '0001-12-31 BC'],
  time: ['00:00:00', '24:00:00', '12:34:56.789012'],
  timetz: ['00:00:00+00', '00:00:00+01', '24:00:00-15:59', '12:34:56.789012+05:30'],
  timestamp: [
    '2000-01-01 00:00:00',
    '4713-01-01 00:00:00 BC',
    '294276-12-31 23:59:59.999999',
    'infinity',
    '-infinity',
  ],
  timestamptz: [
    '2000-01-01 00:00:00+00',
    '2000-01-01 00:00:00+01',
    '4714-11-24 00:00:00+00 BC',
    'infinity',
    '-infinity',
  ],
  interval: ['0', '1 mon', '30 days', '720:00:00', '-1 mon +1 day', '178000000 years', '00:00:00.000001'],
  uuid: ['00000000-0000-0000-0000-000000000000', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  json: ['{}', '{ }', '{"a":1}', '{"a": 1}', 'null', '"🙂"'],
  jsonb: ['{}', '{"a": 1}', '{"a": 1.0}', 'null', '[]', '"🙂"'],
  'bit(4)': ['0000', '0001', '1000'],
  varbit: ['', '0', '00', '1'],
  inet: ['10.0.0.1', '10.0.0.1/24', '::1', '10.0.0.0/24'],
  cidr: ['10.0.0.0/24', '10.0.0.0/25', '::/0'],
  macaddr: ['08:00:2b:01:02:03', '08:00:2b:01:02:04'],
  macaddr8: ['08:00:2b:01:02:03:04:05', '08:00:2b:01:02:03:04:06'],
  point: ['(0,0)', '(-0,0)', '(0.1,0.2)', '(NaN,Infinity)', '(1e300,-1e-300)'],
  lseg: ['[(0,0),(1,1)]', '[(0.1,0),(1,1)]'],
  line: ['{1,2,3}', '{0.1,2,3}'],
  box: ['(1,1),(0,0)', '(1.1,1),(0,0)'],
  path: ['((0,0),(1,1))', '[(0,0),(1,1)]', '((0.1,0),(1,1))'],
  polygon: ['((0,0),(1,1),(0.1,3))', '((0,0),(1,1))'],
  circle: ['<(0,0),1>', '<(0,0),1.1>'],
  tsvector: ["'a':1 'b':2", "'a':1A 'b':2", "'a' 'b'", ''],
  tsquery: ["'a' & 'b'", "'a' | 'b'", "'a' <-> 'b'"],
  int4range: ['empty', '[1,2)', '[1,3)', '(,)', '[1,)'],
  numrange: ['[1.0,2.0]', '[1.0,2.0)', '[1.00,2.0]'],
  tsrange: ['["2000-01-01 00:00:00","2001-01-01 00:00:00")', 'empty'],
  'int4[]': ['{}', '{1}', '{1,NULL}', '{{1,2}}', '{{1},{2}}', '[0:1]={1,2}', '{1,2}'],
  'text[]': ['{}', '{""}', '{NULL}', '{"NULL"}', '{a,b}', '{"a,b"}', '{"a "}'],
  'float8[]': ['{}', '{0.1}', '{NaN}', '{-0}', '{0}'],
  'point[]': ['{}', '{"(0.1,0)"}', '{"(0.2,0)"}', '{"(0.1,0)","(0.2,0)"}', '{"(0.2,0)","(0.1,0)"}'],
  'money[]': ['{$1.00}', '{$1.01}'],
  '"char"[]': ['{a}', '{b}'],
  'bytea[]': ['{"\\\\x00"}', '{"\\\\x0000"}'],
  'jsonb[]': ['{"{\\"a\\": 1}"}', '{"null"}', '{NULL}'],
  regclass: ['pg_class', 'pg_type'],
  regtype: ['integer', 'text'],
  'regproc[]': ['{now}', '{clock_timestamp}'],
  pg_lsn: ['0/0', '1/1'],
  xid: ['0', '1'],
  cid: ['0', '1'],
  tid: ['(0,1)', '(0,2)'],
  txid_snapshot: ['10:20:10,14', '10:20:10'],
  int2vector: ['', '1 2'],
  oidvector: ['1 2', '2 1'],
  refcursor: ['a', 'b'],
  aclitem: ['postgres=r/postgres', '=r/postgres'],
  't.mood': ['sad', 'ok', "it's"],
  't.mood[]': ['{sad,ok}', '{ok,sad}', '{}'],
  't.amount': ['1.00', '1.10'],
  't.flag': ['a    ', 'b    '],
  't.ratio': ['0.1', '0.2', 'NaN'],
  't.ratios': ['{0.1}', '{0.2}'],
  't.pair': ['(1,a)', '(1,"a ")', '(,)', '(,"")', '(2,a)'],
  't.reading': ['(0.1,"{""(1,a)""}",$1.00)', '(0.1,"{""(2,a)""}",$1.00)', '(0.2,{},)', '(,,)'],
  't.reading[]': ['{}', '{"(0.1,{},$1.00)"}', '{"(0.1,{},$1.00)",NULL}', '{NULL,"(0.1,{},$1.00)"}'],
  't.span': ['empty', '[0.1,0.2]', '[0.1,0.2)', '(0.1,0.2)', '[0.1,)', '(,)'],
  't.spanned': ['[0.1,0.2]', '[0.1,0.25]'],
  't."It\'s, ""odd"""[]': ['{"(0.1)"}', '{"(0.2)"}'],
  'x.hstore': ['"a"=>"1"', '"a"=>NULL', ''],
  'x.citext': ['a', 'A', 'a '],
  'x.ltree': ['a.b', 'a.c'],
  'x.cube': ['(0.1)', '(0.1, 0.2)', '(0.1),(0.2)', '(0.1, 0.2),(0.3, 0.4)'],
  'x.cube[]': ['{"(0.1)"}', '{"(0.2)"}'],
};

const FIXTURE = `
  CREATE SCHEMA t; CREATE SCHEMA x;
  CREATE EXTENSION hstore SCHEMA x; CREATE EXTENSION citext SCHEMA x;
  CREATE EXTENSION ltree SCHEMA x; CREATE EXTENSION cube SCHEMA x;
  CREATE TYPE t.mood AS ENUM ('sad', 'ok', 'it''s');
  CREATE DOMAIN t.amount AS numeric(10,2);
  CREATE DOMAIN t.flag AS char(5);
  CREATE DOMAIN t.ratio AS float8;
  CREATE DOMAIN t.ratios AS float8[];
  CREATE TYPE t.pair AS (n int, label text);
  CREATE TYPE t.reading AS (value t.ratio, pairs t.pair[], price money);
  CREATE TYPE t.span AS RANGE (subtype = float8);
  CREATE DOMAIN t.spanned AS t.span;
  CREATE TYPE t."It's, ""odd""" AS ("a ""b""" float4);`;

/** A column of each type, a row for each position in the lists; and one row of NULLs. */
const TYPES = Object.keys(VALUES);
const ROWS = Math.max(...Object.values(VALUES).map((values) => values.length));

describe('hash of a row', () => {
  const databases = new Map<number, string>();
  const hashes = new Map<number, Record<string, string>[]>();

  beforeAll(async () => {
    for (const major of MAJORS) {
      const database = await createTestDatabase(major, 'cmp_hash');
      databases.set(major, database);
      await withSession(major, database, load);
    }
  });

  afterAll(async () => {
    for (const [major, database] of databases) await dropTestDatabase(major as 11, database);
  });

  test.each(MAJORS)('PostgreSQL %i gives distinct hashes to distinct values', async (major) => {
    const rows = await hashesOf(major);
    hashes.set(major, rows);
    TYPES.forEach((type, column) => {
      const distinct = new Set(rows.map((row) => row[`h${column}`]));
      expect({ type, distinct: distinct.size }).toEqual({ type, distinct: (VALUES[type]?.length ?? 0) + 1 });
    });
    expect(rows).toHaveLength(ROWS + 1);
  });

  test.each(MAJORS.slice(1))('PostgreSQL %i gives the hashes of 11', (major) => {
    const expected = hashes.get(11);
    expect(expected).toHaveLength(ROWS + 1);
    expect(hashes.get(major)).toEqual(expected);
  });

  async function hashesOf(major: (typeof MAJORS)[number]) {
    const endpoint = testEndpoint(major, 'source');
    return await withConnection(
      endpoint,
      databases.get(major) ?? '',
      new AbortController().signal,
      async (client) => {
        const columns = await describeTable(client, 't', 'everything');
        expect(columns).toHaveLength(TYPES.length + 1);
        const each = columns.map(
          (column) => `${hashExpression([column])} AS ${quoteIdentifier(`h${column.name.slice(1)}`)}`,
        );
        const { rows } = await client.query<Record<string, string>>(
          `SELECT ${each.join(', ')}, ${hashExpression(columns)} AS whole FROM t.everything ORDER BY cid`,
        );
        return rows;
      },
    );
  }

  /** The same text on all majors, as COPY would bring it. */
  async function load(client: Client): Promise<void> {
    await client.query(FIXTURE);
    const columns = TYPES.map((type, column) => `c${column} ${type}`);
    await client.query(`CREATE TABLE t.everything (cid int, ${columns.join(', ')})`);
    await client.query(`SET extra_float_digits = 3`);
    for (let row = 0; row <= ROWS; row++) {
      const cells = Object.values(VALUES).map((values) => values[row] ?? null);
      const casts = TYPES.map((type, column) => `$${column + 1}::text::${type}`);
      await client.query(`INSERT INTO t.everything VALUES (${row}, ${casts.join(', ')})`, cells);
    }
  }
});
