import { FlexliftError } from '../../contract';

export type EntrySection = 'none' | 'pre-data' | 'data' | 'post-data';

/** One entry of an archive's table of contents. A text that pg_dump left out is ''. */
export interface ArchiveEntry {
  dumpId: number;
  /** The catalog that holds the object (the oid of `pg_class`, `pg_constraint`…); 0: none. */
  catalogClass: number;
  /** The object's oid on the source; 0: none. */
  catalogOid: number;
  /** The object's name, unquoted; for some descriptions more than a name. */
  tag: string;
  /** Its kind, e.g. `TABLE`, `INDEX`, `COMMENT`. */
  description: string;
  section: EntrySection;
  definition: string;
  dropStatement: string;
  schema: string;
  tablespace: string;
  /** The table access method; '' for what has none, and before archive version 1.14. */
  accessMethod: string;
  /** `pg_class.relkind`; '' for what has none, and before archive version 1.16. */
  relationKind: string;
  owner: string;
  /** Dump ids; some may name entries that are not in the archive. */
  dependencies: number[];
}

export interface SchemaArchive {
  /** E.g. `1.14`. */
  archiveVersion: string;
  /** As pg_dump says it, e.g. `15.4 (Debian 15.4-1)`. */
  serverVersion: string;
  dumpVersion: string;
  /** In pg_dump's own order. */
  entries: ArchiveEntry[];
}

/** Custom format; enum ArchiveFormat in pg_backup.h. */
const CUSTOM_FORMAT = 1;
/** sizeof(int), on every platform there is. */
const INTEGER_SIZE = 4;
const SECTIONS: Record<number, EntrySection> = { 1: 'none', 2: 'pre-data', 3: 'data', 4: 'post-data' };
const DAMAGED = 'is damaged or cut off';
/** The offset of an entry's data, which stands behind its dependencies: one byte of state first. */
const OFFSET_STATE_BYTES = 1;
/** 1.13 is the first whose statements qualify every name (pg_dump 10.3, 2018); 1.16 is that of pg_dump 17 and 18. */
const OLDEST_MINOR = 13;
const NEWEST_MINOR = 16;

/**
 * Reads the table of contents of a pg_dump archive in custom format, as `ReadHead` and `ReadToc` of
 * src/bin/pg_dump/pg_backup_archiver.c do.
 *
 * The binary form and not pg_restore's listing: there a name with a line break, a quote or a thousand characters can
 * be taken for something else, and every tool that parses it has lost entries so. Here all texts have a length before
 * them, and one read gives all statements, with no process per entry.
 *
 * @throws FlexliftError ClientToolFailed for anything but a whole archive of version 1.13 to 1.16
 */
export function readArchive(archive: Buffer): SchemaArchive {
  const cursor = new ArchiveCursor(archive);
  const { minor, offsetSize, ...head } = readHead(cursor);
  const entries: ArchiveEntry[] = [];
  for (let left = cursor.integer(); left > 0; left--) {
    entries.push(readEntry(cursor, minor));
    cursor.bytes(OFFSET_STATE_BYTES + offsetSize);
  }
  return { archiveVersion: `1.${minor}`, ...head, entries };
}

function readHead(cursor: ArchiveCursor) {
  if (cursor.bytes(5).toString('latin1') !== 'PGDMP') throw unreadable('is not in custom format');
  const [major, minor] = [cursor.byte(), cursor.byte()];
  cursor.byte(); // revision
  if (major !== 1 || minor < OLDEST_MINOR || minor > NEWEST_MINOR) {
    throw unreadable(`has version ${major}.${minor}, not 1.${OLDEST_MINOR} to 1.${NEWEST_MINOR}`);
  }
  if (cursor.byte() !== INTEGER_SIZE) throw unreadable(DAMAGED);
  const offsetSize = cursor.byte();
  if (cursor.byte() !== CUSTOM_FORMAT) throw unreadable('is not in custom format');
  if (minor >= 15) cursor.byte();
  else cursor.integer(); // compression
  for (let part = 0; part < 7; part++) cursor.integer(); // time of the dump
  cursor.text(); // database
  return { minor, offsetSize, serverVersion: cursor.text(), dumpVersion: cursor.text() };
}

/** The order of the fields is the file's. */
function readEntry(cursor: ArchiveCursor, minor: number): ArchiveEntry {
  const dumpId = cursor.integer();
  cursor.integer(); // whether data follows
  const catalogClass = Number(cursor.text());
  const catalogOid = Number(cursor.text());
  const tag = cursor.text();
  const description = cursor.text();
  const section = SECTIONS[cursor.integer()];
  if (section === undefined) throw unreadable(DAMAGED);
  const definition = cursor.text();
  const dropStatement = cursor.text();
  cursor.text(); // COPY statement
  const schema = cursor.text();
  const tablespace = cursor.text();
  const accessMethod = minor >= 14 ? cursor.text() : '';
  const kind = minor >= 16 ? cursor.integer() : 0;
  const relationKind = kind === 0 ? '' : String.fromCharCode(kind);
  const owner = cursor.text();
  cursor.text(); // WITH OIDS
  const dependencies: number[] = [];
  for (let id = cursor.textOrNull(); id !== null; id = cursor.textOrNull()) dependencies.push(Number(id));
  return {
    ...{ dumpId, catalogClass, catalogOid, tag, description, section, definition, dropStatement, schema },
    ...{ tablespace, accessMethod, relationKind, owner, dependencies },
  };
}

class ArchiveCursor {
  private position = 0;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(private readonly archive: Buffer) {}

  bytes(length: number): Buffer {
    const end = this.position + length;
    if (end > this.archive.length) throw unreadable(DAMAGED);
    const slice = this.archive.subarray(this.position, end);
    this.position = end;
    return slice;
  }

  byte(): number {
    return this.bytes(1).readUInt8();
  }

  /** A byte for the sign, then the magnitude, least significant byte first. */
  integer(): number {
    const negative = this.byte() !== 0;
    const magnitude = this.bytes(INTEGER_SIZE).readUInt32LE();
    return negative ? -magnitude : magnitude;
  }

  textOrNull(): string | null {
    const length = this.integer();
    if (length < 0) return null;
    const bytes = this.bytes(length);
    try {
      return this.decoder.decode(bytes);
    } catch {
      throw unreadable('holds text that is not UTF-8');
    }
  }

  text(): string {
    return this.textOrNull() ?? '';
  }
}

function unreadable(what: string): FlexliftError {
  return new FlexliftError({
    code: 'ClientToolFailed',
    sentence: `The archive that pg_dump wrote ${what}.`,
    remedy:
      'Install the PostgreSQL client tools of the newest major that this version of flexlift knows (18) on the host of this worker.',
  });
}
