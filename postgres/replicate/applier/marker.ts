import type { Change, LogicalMessage } from '../pgoutput';
import { MARKER_TABLE, markerSchema, MESSAGE_PREFIX } from '../source';

const CONTENT_COLUMN = 'content';

export function markerOfMessage({ transactional, prefix, content }: LogicalMessage): string | undefined {
  return transactional && prefix === MESSAGE_PREFIX ? content.toString('utf8') : undefined;
}

/** Recognizes changes of the marker table, which are no changes to apply. */
export class MarkerTable {
  private readonly schema: string;

  constructor(migrationId: string) {
    this.schema = markerSchema(migrationId);
  }

  holds({ schema, name }: { schema: string; name: string }): boolean {
    return schema === this.schema && name === MARKER_TABLE;
  }

  /** `undefined`: the change says no marker. */
  markerOf(change: Change): string | undefined {
    if (change.kind !== 'insert' && change.kind !== 'update') return undefined;
    const column = change.relation.columns.findIndex(({ name }) => name === CONTENT_COLUMN);
    const content = column < 0 ? null : change.row.value(column);
    return Buffer.isBuffer(content) ? content.toString('utf8') : undefined;
  }
}
