import type { Difference } from '../../contract';
import { quoteQualified } from '../connect';
import type { TableChecksum } from '../ledger';

/** Two checksums of a table that are not equal, in words. */
export function differenceOfTable(
  table: { schema: string; name: string },
  source: TableChecksum,
  target: TableChecksum,
  keys: string[],
): Difference {
  const sameNumber = source.rows === target.rows;
  const message = sameNumber
    ? `Both sides have ${source.rows} rows, but their content differs.`
    : `The source has ${source.rows} rows, the target ${target.rows}.`;
  return {
    kind: sameNumber ? 'checksum' : 'rows',
    object: quoteQualified(table.schema, table.name),
    message,
    keys,
  };
}
