import { chooseFormat, type ColumnType } from '../../../postgres/copy';

const int4: ColumnType = { oid: 23, name: 'int4', kind: 'b', element: 0, hasBinary: true };
const type = (change: Partial<ColumnType>): ColumnType => ({ ...int4, ...change });

const cases: [string, ColumnType, 'binary' | 'text'][] = [
  ['int4', int4, 'binary'],
  ['text', type({ oid: 25, name: 'text' }), 'binary'],
  ['money', type({ oid: 790, name: 'money' }), 'binary'],
  ['oid', type({ oid: 26, name: 'oid' }), 'binary'],
  ['int4[]', type({ oid: 1007, name: 'int4', element: 23 }), 'binary'],
  ['int4range', type({ oid: 3904, name: 'int4range', kind: 'r' }), 'binary'],
  ['int4multirange', type({ oid: 4451, name: 'int4multirange', kind: 'm' }), 'binary'],
  ['jsonb', type({ oid: 3802, name: 'jsonb' }), 'binary'],
  ['tsvector', type({ oid: 3614, name: 'tsvector' }), 'binary'],
  ['regclass', type({ oid: 2205, name: 'regclass' }), 'text'],
  ['regclass[]', type({ oid: 2210, name: 'regclass', element: 2205 }), 'text'],
  ['regcollation', type({ oid: 4191, name: 'regcollation' }), 'text'],
  ['aclitem, which has no send function', type({ oid: 1033, name: 'aclitem', hasBinary: false }), 'text'],
  ['pg_node_tree', type({ oid: 194, name: 'pg_node_tree' }), 'text'],
  ['xml', type({ oid: 142, name: 'xml' }), 'text'],
  ['int2vector', type({ oid: 22, name: 'int2vector' }), 'text'],
  ['oidvector', type({ oid: 30, name: 'oidvector' }), 'text'],
  ['xml[]', type({ oid: 143, name: 'xml', element: 142 }), 'text'],
  ['a row type of the catalog', type({ oid: 83, name: 'pg_class', kind: 'c' }), 'text'],
  ['information_schema.sql_identifier', type({ oid: 13_200, name: 'sql_identifier', kind: 'd' }), 'text'],
  ['a user enum', type({ oid: 16_400, name: 'mood', kind: 'e' }), 'text'],
  ['a user enum array', type({ oid: 16_399, name: 'mood', element: 16_400 }), 'text'],
  ['a user domain', type({ oid: 16_500, name: 'posint', kind: 'd' }), 'text'],
  ['a user composite', type({ oid: 16_600, name: 'pair', kind: 'c' }), 'text'],
  ['a user range of a built-in type', type({ oid: 16_700, name: 'floatrange', kind: 'r' }), 'text'],
  ['an extension type', type({ oid: 16_800, name: 'hstore' }), 'text'],
];

test.each(cases)('%s', (_name, column, format) => {
  expect(chooseFormat([column], [column])).toBe(format);
  expect(chooseFormat([int4, column], [int4, column])).toBe(format);
});

test('one type on the source and another on the target is text', () => {
  expect(chooseFormat([int4], [type({ oid: 20, name: 'int8' })])).toBe('text');
});

test('a type that one side cannot receive is text', () => {
  expect(chooseFormat([int4], [type({ hasBinary: false })])).toBe('text');
});

test('no columns at all are binary', () => {
  expect(chooseFormat([], [])).toBe('binary');
});
