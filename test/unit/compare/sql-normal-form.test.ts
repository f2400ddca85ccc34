import { sqlDifference } from '../../../postgres/compare/catalog/sql-normal-form';

const far = { source: 11, target: 18 };

describe('deparsed SQL of two majors', () => {
  test.each([
    [' SELECT t.a,\n    t.b\n   FROM s.t;', ' SELECT a,\n    b\n   FROM s.t;'],
    ['SELECT t.t FROM s.t', 'SELECT t FROM s.t'],
    ['SELECT t."value" FROM s.t', 'SELECT value FROM s.t'],
    ['SELECT t."Value" FROM s.t WHERE (t.a > 1)', 'SELECT "Value" FROM s.t WHERE (a > 1)'],
    ['CREATE TRIGGER x EXECUTE PROCEDURE s.f()', 'CREATE TRIGGER x EXECUTE FUNCTION s.f()'],
  ])('%j means %j', (source, target) => {
    expect(sqlDifference(source, target, far)).toBeUndefined();
    expect(sqlDifference(target, source, { source: 18, target: 11 })).toBeUndefined();
  });

  test.each([
    ['SELECT t.a FROM t', 'SELECT u.a FROM t'],
    ['SELECT t.a FROM t', 'SELECT b FROM t'],
    ['SELECT a FROM s.t', 'SELECT a FROM u.t'],
    ["WHERE a = 'x'", "WHERE a = 'X'"],
    ["WHERE a = 'x  y'", "WHERE a = 'x y'"],
    ["WHERE a = E'x\\'y'", "WHERE a = E'x\\'z'"],
    ['WHERE a = \'"b"\'', "WHERE a = 'b'"],
    ['WHERE a = 1.50', 'WHERE a = 1.5'],
    ['((a + b) * c)', '(a + (b * c))'],
    ['(a)::text', '(a)::character varying'],
    ['SELECT "A"', 'SELECT a'],
    ['a <> b', 'a <= b'],
    ['SELECT a', 'SELECT a, b'],
    ['SELECT "EXECUTE" , PROCEDURE', 'SELECT "EXECUTE" , FUNCTION'],
  ])('%j differs from %j', (source, target) => {
    expect(sqlDifference(source, target, far)).toBeDefined();
  });

  test('a qualifier counts where both sides are of the same kind', () => {
    expect(sqlDifference('SELECT t.a', 'SELECT a', { source: 16, target: 18 })).toBeDefined();
    expect(sqlDifference('SELECT t.a', 'SELECT a', { source: 11, target: 15 })).toBeDefined();
    expect(sqlDifference('EXECUTE PROCEDURE', 'EXECUTE FUNCTION', { source: 14, target: 17 })).toBeDefined();
  });

  test('says where the texts part', () => {
    expect(sqlDifference('SELECT t.a > 100', 'SELECT a > 101', far)).toEqual([13, 11]);
  });
});
