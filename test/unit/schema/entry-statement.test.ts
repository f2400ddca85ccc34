import { entryObject, entryStatement } from '../../../postgres/schema';
import { archiveEntry } from './archive-entry';

test('an owner follows the definition, by name or by what stands in the DROP statement', () => {
  const table = archiveEntry({
    schema: 'Sales.EU',
    tag: 'Order "lines"',
    definition: 'CREATE TABLE x ();\n\n',
    dropStatement: 'DROP TABLE x;\n',
    owner: 'the "owner"',
  });
  expect(entryStatement(table, { owner: true })).toBe(
    'CREATE TABLE x ();\nALTER TABLE "Sales.EU"."Order ""lines""" OWNER TO "the ""owner""";',
  );
  expect(entryStatement(table, { owner: false })).toBe('CREATE TABLE x ();');
  const aggregate = archiveEntry({
    description: 'AGGREGATE',
    tag: 'last(integer)',
    dropStatement: 'DROP AGGREGATE public.last(integer);\n',
    owner: 'o',
  });
  expect(entryStatement(aggregate, { owner: true })).toBe(
    'ALTER AGGREGATE public.last(integer) OWNER TO "o";',
  );
});

test.each(['INDEX', 'CONSTRAINT', 'TRIGGER', 'POLICY', 'CAST'])(
  '%s has no owner of its own',
  (description) => {
    const entry = archiveEntry({ description, definition: 'X;', dropStatement: 'DROP X;', owner: 'o' });
    expect(entryStatement(entry, { owner: true })).toBe('X;');
  },
);

test('a part of another object, which has no DROP statement, has no owner either', () => {
  const attach = archiveEntry({ description: 'TABLE ATTACH', definition: 'A;', owner: 'o' });
  expect(entryStatement(attach, { owner: true })).toBe('A;');
});

test('an unknown kind of object with an owner is an error', () => {
  const entry = archiveEntry({
    description: 'GADGET',
    definition: 'X;',
    dropStatement: 'DROP X;',
    owner: 'o',
  });
  expect(() => entryStatement(entry, { owner: true })).toThrow('does not know: GADGET');
});

test('a table access method is set for its table alone', () => {
  const table = archiveEntry({
    definition: 'CREATE TABLE x ();',
    accessMethod: 'Columnar',
    relationKind: 'r',
  });
  expect(entryStatement(table, { owner: true })).toBe(
    'SET LOCAL default_table_access_method = "Columnar";\nCREATE TABLE x ();\nSET LOCAL default_table_access_method = heap;',
  );
  expect(entryStatement({ ...table, accessMethod: 'heap' }, { owner: true })).toBe('CREATE TABLE x ();');
  const partitioned = { ...table, relationKind: 'p', schema: 's' };
  expect(entryStatement(partitioned, { owner: true })).toBe(
    'CREATE TABLE x ();\nALTER TABLE "s"."name" SET ACCESS METHOD "Columnar";',
  );
});

test("another grantor's privileges are granted with SET ROLE; a role's name is left alone", () => {
  const acl = archiveEntry({
    description: 'ACL',
    definition:
      'SET SESSION AUTHORIZATION "a; RESET SESSION AUTHORIZATION";\nGRANT SELECT ON TABLE t TO "SET SESSION AUTHORIZATION ""x""";\nRESET SESSION AUTHORIZATION;\n',
  });
  expect(entryStatement(acl, { owner: true })).toBe(
    'SET LOCAL ROLE "a; RESET SESSION AUTHORIZATION";\nGRANT SELECT ON TABLE t TO "SET SESSION AUTHORIZATION ""x""";\nRESET ROLE;',
  );
  const body = archiveEntry({ description: 'FUNCTION', definition: `'RESET SESSION AUTHORIZATION'` });
  expect(entryStatement(body, { owner: true })).toBe(`'RESET SESSION AUTHORIZATION'`);
});

test('an object is named for people', () => {
  expect(entryObject(archiveEntry({ schema: 'a.b', tag: 'c"d' }))).toBe('TABLE "a.b"."c""d"');
  expect(entryObject(archiveEntry({ description: 'SCHEMA', tag: 's' }))).toBe('SCHEMA "s"');
});

test("an option that is the server's own is left out", () => {
  const definition =
    'CREATE TABLE public."a; b" ("x y" int, n int);\n' +
    'ALTER TABLE ONLY public."a; b" ALTER COLUMN "x y" SET (pg_attver=4711);\n' +
    'ALTER TABLE ONLY public."a; b" ALTER COLUMN n SET (n_distinct=5, pg_attver=4711);\n';
  expect(entryStatement(archiveEntry({ definition }), { owner: false })).toBe(
    'CREATE TABLE public."a; b" ("x y" int, n int);\n' +
      'ALTER TABLE ONLY public."a; b" ALTER COLUMN n SET (n_distinct=5);',
  );
});
