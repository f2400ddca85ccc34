import { ENTRY_RULES, leftOutEntries, type ArchiveEntry } from '../../../postgres/schema';
import { archiveEntry } from './archive-entry';

const ALL = { noOwner: false, noPrivileges: false };

const CASES: [string | undefined, Partial<ArchiveEntry>][] = [
  ['archive-setting', { description: 'ENCODING' }],
  ['archive-setting', { description: 'STDSTRINGS' }],
  ['archive-setting', { description: 'SEARCHPATH' }],
  ['database-properties', { description: 'DATABASE' }],
  ['database-properties', { description: 'DATABASE PROPERTIES' }],
  ['database-properties', { description: 'COMMENT', tag: 'DATABASE x' }],
  ['ledger-schema', { description: 'SCHEMA', tag: 'flexlift' }],
  ['ledger-schema', { description: 'TABLE', schema: 'flexlift' }],
  ['own-source-objects', { description: 'SCHEMA', tag: 'flexlift_0123456789ab' }],
  ['own-source-objects', { description: 'TABLE', schema: 'flexlift_0123456789ab' }],
  ['own-source-objects', { description: 'PUBLICATION', tag: 'flexlift_0123456789ab_append' }],
  ['public-schema', { description: 'SCHEMA', tag: 'public' }],
  ['managed-extension', { description: 'EXTENSION', tag: 'azure' }],
  ['managed-extension', { description: 'EXTENSION', tag: 'pgaadauth' }],
  ['managed-extension', { description: 'EXTENSION', tag: 'plpgsql' }],
  ['managed-schema', { description: 'SCHEMA', tag: 'google_vacuum_mgmt' }],
  ['managed-schema', { description: 'ACL', schema: 'google_vacuum_mgmt', tag: 'TABLE t' }],
  ['extension-comment', { description: 'COMMENT', tag: 'EXTENSION hstore' }],
  ['server-privileges', { description: 'ACL', schema: 'pg_catalog', tag: 'FUNCTION pg_read_file(text)' }],
  ['subscription', { description: 'SUBSCRIPTION' }],
  ['large-object', { description: 'BLOB' }],
  ['large-object', { description: 'BLOB METADATA' }],
  ['large-object', { description: 'BLOBS' }],
  ['large-object', { description: 'ACL', tag: 'LARGE OBJECTS 1..9' }],
  ['large-object', { description: 'COMMENT', tag: 'LARGE OBJECT 1' }],
  ['materialized-view-data', { description: 'MATERIALIZED VIEW DATA' }],
  ['sequence-set', { description: 'SEQUENCE SET' }],
  ['table-data', { description: 'TABLE DATA' }],
  ['statistics-data', { description: 'STATISTICS DATA' }],
  [undefined, { description: 'SCHEMA', tag: 'Flexlift' }],
  [undefined, { description: 'SCHEMA', tag: 'flexlift_0123456789abc' }],
  [undefined, { description: 'TABLE', tag: 'flexlift_0123456789ab' }],
  [undefined, { description: 'TABLE', tag: 'flexlift' }],
  [undefined, { description: 'TABLE', tag: 'public' }],
  [undefined, { description: 'ACL', tag: 'SCHEMA public' }],
  [undefined, { description: 'COMMENT', tag: 'SCHEMA public' }],
  [undefined, { description: 'DEFAULT ACL', tag: 'DEFAULT PRIVILEGES FOR TABLES' }],
  [undefined, { description: 'EXTENSION', tag: 'hstore' }],
  [undefined, { description: 'TABLE', tag: 'EXTENSION azure' }],
  [undefined, { description: 'ACL', schema: 'public', tag: 'TABLE pg_catalog' }],
  [undefined, { description: 'SECURITY LABEL', tag: 'TABLE t' }],
];

test.each(CASES)('%s: %j', (rule, fields) => {
  expect(leftOutEntries([archiveEntry(fields)], ALL).get(1)).toBe(rule);
});

test('every rule but that of the request has a case, and all names differ', () => {
  const names = ENTRY_RULES.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const tested = new Set(CASES.map(([rule]) => rule));
  expect(names.filter((name) => !tested.has(name))).toEqual(['no-privileges']);
});

test.each(['ACL', 'DEFAULT ACL'])('%s goes where the request leaves privileges out', (description) => {
  const entries = [archiveEntry({ description })];
  expect(leftOutEntries(entries, { noOwner: false, noPrivileges: true }).get(1)).toBe('no-privileges');
});

test('comments and privileges follow an object that will not exist, and stay with one that will', () => {
  const leftOut = leftOutEntries(
    [
      archiveEntry({ dumpId: 1, description: 'SUBSCRIPTION' }),
      archiveEntry({ dumpId: 2, description: 'COMMENT', tag: 'SUBSCRIPTION s', dependencies: [1] }),
      archiveEntry({ dumpId: 3, description: 'SCHEMA', tag: 'flexlift' }),
      archiveEntry({ dumpId: 4, description: 'ACL', tag: 'SCHEMA flexlift', dependencies: [3] }),
      archiveEntry({ dumpId: 5, description: 'SCHEMA', tag: 'public' }),
      archiveEntry({ dumpId: 6, description: 'ACL', tag: 'SCHEMA public', dependencies: [5] }),
      archiveEntry({ dumpId: 7, description: 'VIEW', dependencies: [3] }),
      archiveEntry({ dumpId: 8, description: 'PUBLICATION', tag: 'flexlift_0123456789ab' }),
      archiveEntry({
        dumpId: 9,
        description: 'PUBLICATION TABLE',
        tag: 'flexlift_0123456789ab t',
        dependencies: [8, 7],
      }),
    ],
    ALL,
  );
  expect([...leftOut]).toEqual([
    [1, 'subscription'],
    [3, 'ledger-schema'],
    [5, 'public-schema'],
    [8, 'own-source-objects'],
    [2, 'subscription'],
    [4, 'ledger-schema'],
    [9, 'own-source-objects'],
  ]);
});
