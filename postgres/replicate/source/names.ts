import { createHash } from 'node:crypto';
import { sourceObjectPrefix } from '../../../contract';

export interface PublicationNames {
  /** Tables whose every change can be told by a replica identity. */
  keyed: string;
  /** Tables of which INSERT and TRUNCATE alone are published. */
  append: string;
  /** Empty; its comment remembers what the fence has changed. */
  fence: string;
}

/** The permanent slot of one database; slots of all databases share one list, and take `[a-z0-9_]{1,63}`. */
export function slotName(migrationId: string, database: string): string {
  const hash = createHash('sha256').update(database).digest('hex').slice(0, 8);
  return `${sourceObjectPrefix(migrationId)}_${hash}`;
}

export function publicationNames(migrationId: string): PublicationNames {
  const prefix = sourceObjectPrefix(migrationId);
  return { keyed: prefix, append: `${prefix}_append`, fence: `${prefix}_fence` };
}

/** Holds the table `marker` on sources before 14. */
export function markerSchema(migrationId: string): string {
  return sourceObjectPrefix(migrationId);
}
