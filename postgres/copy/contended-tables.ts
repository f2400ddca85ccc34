import type { Client } from 'pg';
import { quoteQualified } from '../connect';
import { hasSourceChecksum, rowCondition, saveSourceChecksums, type LedgerIdentity } from '../ledger';
import { copyPart } from './copy-part';
import type { ChecksumTables } from './reconcile';
import type { Scope } from './scope';
import type { SourceTable } from './source-tables';

/**
 * Copies what is left of tables that only the keeper's own session can still read, with their checksums where they are wanted: a TRUNCATE that
 * waits for the keeper's lock stands before every other reader, and would wait for ever if the copy waited for it.
 *
 * @param args.source the keeper's session, which holds locks and snapshot
 */
export async function copyContendedTables(args: {
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  scope: Scope;
  tables: SourceTable[];
  /** Absent: the source's checksums are not wanted. */
  checksumTables?: ChecksumTables;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}): Promise<void> {
  const { source, target, identity, tables, checksumTables, signal, onProgress } = args;
  const scope = args.scope.scope;
  for (const table of tables) {
    const name = quoteQualified(table.schema, table.name);
    onProgress(`copying ${name} itself, since somebody waits for an exclusive lock on it`);
    for (const part of await partsLeft(target, table.oid)) {
      await copyPart({ source, target, identity, scope, table, part, signal });
    }
    if (checksumTables === undefined || (await hasSourceChecksum(target, table.oid))) continue;
    const wanted = [{ ...table, condition: rowCondition(table.condition) }];
    const found = await checksumTables({ client: source, tables: wanted, signal });
    const checksums = found.map((checksum) => ({ tableOid: table.oid, ...checksum }));
    await saveSourceChecksums(target, identity, scope, checksums);
  }
}

async function partsLeft(target: Client, oid: number): Promise<number[]> {
  const { rows } = await target.query<{ part: number }>(
    'SELECT part FROM flexlift.part WHERE table_oid = $1 AND copied_at IS NULL ORDER BY part',
    [oid],
  );
  return rows.map((row) => row.part);
}
