import { hashExpression, type ColumnDescription, type TypeDescription } from '../../../postgres/compare';

const builtin = (name: string): TypeDescription => ({ kind: 'builtin', name });
const column = (name: string, type: TypeDescription): ColumnDescription => ({ name, type });

function depth(sql: string): number {
  let now = 0;
  let most = 0;
  for (const character of sql) {
    if (character === '(') most = Math.max(most, (now += 1));
    if (character === ')') now -= 1;
  }
  expect(now).toBe(0);
  return most;
}

describe('SQL of the hash of a row', () => {
  test('does not depend on the order in which the columns stand', () => {
    const columns = [
      column('b', builtin('int4')),
      column('A', builtin('text')),
      column('é', builtin('uuid')),
    ];
    expect(hashExpression(columns)).toBe(hashExpression([...columns].reverse()));
    expect(hashExpression(columns)).not.toBe(hashExpression(columns.slice(1)));
  });

  test('chains the columns: each hash is the seed of the next', () => {
    const sql = hashExpression([column('a', builtin('int4')), column('b', builtin('text'))]);
    expect(sql).toMatch(/^pg_catalog\.hashtextextended\(.*"b".*pg_catalog\.hashint4extended\(.*"a"/);
  });

  test('stays flat however many columns there are', () => {
    const columns = Array.from({ length: 1600 }, (_, index) => column(`c${index}`, builtin('int8')));
    expect(depth(hashExpression(columns))).toBeLessThan(350);
  });

  test('quotes every name', () => {
    const sql = hashExpression([
      column('a"b\n', { kind: 'composite', fields: [column("x'", builtin('float8'))] }),
    ]);
    expect(sql).toContain('("a""b\n")."x\'"');
  });

  test.each(['bytea', 'varbit', 'int4', 'float8', 'json', 'bpchar', 'point', 'money', 'text'])(
    'uses no md5, no search path and no cast to text for %s',
    (name) => {
      const sql = hashExpression([
        column('c', builtin(name)),
        column('d', { kind: 'array', element: builtin(name) }),
      ]);
      expect(sql).not.toMatch(/md5/);
      expect(sql.match(/(?<![.\w])(?!coalesce|CASE)[a-z_0-9]+\(/g) ?? []).toEqual([]);
      if (name !== 'text') expect(sql).not.toMatch(/"[cd]"::(pg_catalog\.)?text/);
    },
  );

  test('is plain JSON in and the same SQL out', () => {
    const columns: ColumnDescription[] = [
      column('c', { kind: 'domain', sqlName: '"S".x', base: { kind: 'range', subtype: builtin('float4') } }),
    ];
    expect(hashExpression(JSON.parse(JSON.stringify(columns)) as ColumnDescription[])).toBe(
      hashExpression(columns),
    );
  });
});
