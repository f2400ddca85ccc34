import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlexliftError } from '../../../contract';
import { readArchive, type ArchiveEntry } from '../../../postgres/schema';

/** One database of a 14 server, dumped with pg_dump 15, 16 and 18. */
const VERSIONS = ['1.14', '1.15', '1.16'];

function fixture(version: string): Buffer {
  return readFileSync(join(__dirname, 'fixtures', `archive-${version}.dump`));
}

function only(entries: ArchiveEntry[], description: string, tag: string): ArchiveEntry {
  const found = entries.filter((entry) => entry.description === description && entry.tag === tag);
  expect(found).toHaveLength(1);
  return found[0] as ArchiveEntry;
}

describe.each(VERSIONS)('an archive of version %s', (version) => {
  const archive = readArchive(fixture(version));

  test('says who wrote it', () => {
    expect(archive.archiveVersion).toBe(version);
    expect(archive.serverVersion).toMatch(/^14\./);
    expect(archive.dumpVersion).toMatch(
      { '1.14': /^15\./, '1.15': /^16\./, '1.16': /^18\./ }[version] ?? /^$/,
    );
  });

  test('gives names and texts as they are', () => {
    const table = only(archive.entries, 'TABLE', 'Tab "le" 🚚');
    expect(table).toMatchObject({
      schema: 'line\nbreak',
      section: 'pre-data',
      catalogClass: 1259,
      owner: 'flx_schema_fixture_owner',
      accessMethod: 'heap',
      relationKind: version === '1.16' ? 'r' : '',
    });
    expect(table.definition).toContain('"; DROP TABLE x; --" text');
    const index = only(archive.entries, 'INDEX', '-- TOC entry 9 (class 1259 OID 1)');
    expect(index).toMatchObject({ section: 'post-data', catalogClass: 1259 });
    expect(index.dependencies).toContain(table.dumpId);
    expect(only(archive.entries, 'FUNCTION', 'f(integer)').definition).toContain('-- TOC entry 10');
    const comments = archive.entries.filter(({ description }) => description === 'COMMENT');
    expect(comments.map(({ section, definition }) => [section, definition])).toEqual([
      ['none', expect.stringContaining(`IS 'two\nlines'`)],
    ]);
  });

  test('is refused where it is cut off', () => {
    const whole = fixture(version);
    for (let length = 0; length < whole.length - 600; length += 7) {
      expect(() => readArchive(whole.subarray(0, length))).toThrow(FlexliftError);
    }
  });
});

test.each([
  ['a newer version', 6, 17, 'has version 1.17'],
  ['one whose names are not qualified', 6, 12, 'has version 1.12'],
  ['another format', 10, 3, 'not in custom format'],
  ['anything else', 0, 0, 'not in custom format'],
])('%s is refused', (_, position, value, sentence) => {
  const archive = Buffer.from(fixture('1.16'));
  archive[position] = value;
  expect(() => readArchive(archive)).toThrow(sentence);
});
