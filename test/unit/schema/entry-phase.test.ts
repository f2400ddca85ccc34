import { entryPhases, type ArchiveEntry } from '../../../postgres/schema';
import { archiveEntry } from './archive-entry';

/** Entries are numbered from 1. */
function phases(
  entries: Partial<ArchiveEntry>[],
  tables: Record<number, number> = {},
): (string | undefined)[] {
  const numbered = entries.map((fields, position) => archiveEntry({ dumpId: position + 1, ...fields }));
  const oids = new Map(Object.entries(tables).map(([dumpId, oid]) => [Number(dumpId), oid]));
  const result = entryPhases(numbered, oids);
  return numbered.map(({ dumpId }) => result.get(dumpId));
}

test('what has no section of its own follows the entry before it; privileges and event triggers come last', () => {
  expect(
    phases([
      { description: 'ENCODING' },
      { description: 'COMMENT', section: 'none' },
      { description: 'ACL', section: 'none' },
      { description: 'TRIGGER', section: 'post-data' },
      { description: 'COMMENT', section: 'none', tag: 'TRIGGER x' },
      { description: 'DEFAULT ACL', section: 'post-data' },
      { description: 'EVENT TRIGGER', section: 'post-data' },
      { description: 'COMMENT', section: 'none', tag: 'EVENT TRIGGER x' },
      { description: 'SECURITY LABEL', section: 'none', tag: 'EVENT TRIGGER x' },
    ]),
  ).toEqual([
    'pre-data',
    'pre-data',
    'acl',
    'post-data',
    'post-data',
    'acl',
    'post-acl',
    'post-acl',
    'post-acl',
  ]);
});

test("a schema's privileges come before what is in it", () => {
  const acl = { description: 'ACL', section: 'none' } as const;
  expect(
    phases([
      { ...acl, tag: 'SCHEMA public' },
      { ...acl, tag: 'TABLE "SCHEMA x"' },
    ]),
  ).toEqual(['pre-data', 'acl']);
});

const post = { section: 'post-data' } as const;

test('indexes and constraints of a known table are its own; foreign keys are not', () => {
  expect(
    phases(
      [
        { description: 'TABLE' },
        { ...post, description: 'CONSTRAINT', dependencies: [1, 99] },
        { ...post, description: 'INDEX', dependencies: [1] },
        { ...post, description: 'CHECK CONSTRAINT', dependencies: [1] },
        { ...post, description: 'FK CONSTRAINT', dependencies: [1, 2] },
        { ...post, description: 'INDEX ATTACH' },
        { ...post, description: 'CHECK CONSTRAINT', tag: 'of a domain' },
      ],
      { 1: 7, 2: 7, 3: 7, 4: 7, 5: 7 },
    ),
  ).toEqual(['pre-data', 'table', 'table', 'table', 'post-data', 'post-data', 'post-data']);
});

test('constraints NOT VALID come after all data', () => {
  const notValid = { ...post, definition: 'ALTER TABLE t\n    ADD CONSTRAINT c CHECK (true) NOT VALID;\n' };
  expect(
    phases(
      [
        { ...notValid, description: 'CHECK CONSTRAINT' },
        { ...notValid, description: 'CONSTRAINT' },
        { ...notValid, definition: "… CHECK (v <> ' NOT VALID;')", description: 'CHECK CONSTRAINT' },
      ],
      { 1: 7, 2: 7, 3: 7 },
    ),
  ).toEqual(['post-data', 'post-data', 'table']);
});

test("a partition's index does not wait for that of its parent", () => {
  const entries = [
    { ...post, description: 'INDEX' },
    { ...post, description: 'INDEX', dependencies: [1] },
  ];
  expect(phases(entries, { 1: 7, 2: 8 })).toEqual(['table', 'table']);
});

test('what needs something of post-data waits with it', () => {
  const tables = { 1: 7, 2: 8, 3: 8, 4: 9 };
  expect(
    phases(
      [
        { ...post, description: 'MATERIALIZED VIEW' },
        { ...post, description: 'INDEX', dependencies: [1] },
        { ...post, description: 'INDEX', dependencies: [2] },
        { ...post, description: 'INDEX', dependencies: [] },
      ],
      tables,
    ),
  ).toEqual(['post-data', 'post-data', 'post-data', 'table']);
});
