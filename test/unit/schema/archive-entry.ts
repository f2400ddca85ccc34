import type { ArchiveEntry } from '../../../postgres/schema';

/** An entry with nothing but what a test says of it. */
export function archiveEntry(fields: Partial<ArchiveEntry>): ArchiveEntry {
  return {
    dumpId: 1,
    catalogClass: 0,
    catalogOid: 0,
    tag: 'name',
    description: 'TABLE',
    section: 'pre-data',
    definition: '',
    dropStatement: '',
    schema: '',
    tablespace: '',
    accessMethod: '',
    relationKind: '',
    owner: '',
    dependencies: [],
    ...fields,
  };
}
