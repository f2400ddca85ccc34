import type { Client } from 'pg';
import { atSide, quoteQualified } from '../connect';
import { withLedger, type LedgerIdentity } from '../ledger';
import { copyRows } from './copy-rows';
import type { RowRange } from './copy-sql';
import type { CopiedAmount } from './frame-relay';
import type { Pace } from './pace';
import { lockOpenScope, markCopied } from './mark-copied';

export interface CopyPartArguments {
  /** In a transaction that stands in the scope's snapshot. */
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  /** The number of the scope whose snapshot `source` stands in. */
  scope: number;
  /** The oid is the source's; the names are for failures. */
  table: { oid: number; schema: string; name: string };
  /** From 1 on. */
  part: number;
  signal: AbortSignal;
  pace?: Pace;
  onProgress?: (progress: CopiedAmount) => void;
}

export interface CopiedPart extends CopiedAmount {
  seconds: number;
  /** Whose snapshot it was copied from. */
  scope: number;
  /** It had been copied before; the amounts are the ledger's. */
  alreadyDone: boolean;
}

interface PartRow {
  parts: number;
  range_column: string | null;
  range_from: string | null;
  range_to: string | null;
  copy_condition: string | null;
  copied: boolean;
  scope: number | null;
  rows: string | null;
  bytes: string | null;
  seconds: number | null;
}

/**
 * Copies one part of a table and notes it in the ledger, in one transaction of the target: it is either copied or never
 * happened. Another attempt at the same part waits for this one's end and then finds it done.
 *
 * @throws FlexliftError SnapshotLost where the scope is not open any more, SchemaDrift, and what either server throws
 */
export async function copyPart(args: CopyPartArguments): Promise<CopiedPart> {
  const { target, identity, table } = args;
  const object = quoteQualified(table.schema, table.name);
  const work = () =>
    withLedger(target, identity, async () => {
      const part = await lockPart(args);
      if (part.copied) return { ...amountOf(part), scope: part.scope ?? 0, alreadyDone: true };
      const started = performance.now();
      const range = part.parts === 1 ? undefined : rangeOf(part);
      const copied = await copyRows({ ...args, range, condition: part.copy_condition });
      const seconds = (performance.now() - started) / 1000;
      await markCopied(target, args.scope, [{ tableOid: table.oid, part: args.part, ...copied, seconds }]);
      return { ...copied, seconds, scope: args.scope, alreadyDone: false };
    });
  return await atSide('target', target, work, object);
}

/**
 * A part of a large table whose scope is complete: nobody holds its snapshot any more, and nobody will. An attempt that
 * was cut off between its commit and its report had copied it, or the keeper itself, or the workflow was reset.
 *
 * @returns `undefined` where the part is still to be copied under a snapshot, or will be copied anew
 */
export async function partOfCompleteScope(
  target: Client,
  identity: LedgerIdentity,
  { tableOid, part }: { tableOid: number; part: number },
): Promise<CopiedPart | undefined> {
  const { rows } = await withLedger(target, identity, () =>
    target.query<Pick<PartRow, 'rows' | 'bytes' | 'seconds'> & { scope: number }>(
      `SELECT scope, p.rows, p.bytes, p.seconds
         FROM flexlift.part p JOIN flexlift.scope s USING (scope)
        WHERE p.table_oid = $1 AND p.part = $2 AND s.state = 'complete'`,
      [tableOid, part],
    ),
  );
  const [row] = rows;
  return row && { ...amountOf(row), scope: row.scope, alreadyDone: true };
}

async function lockPart({ target, table, part, scope }: CopyPartArguments): Promise<PartRow> {
  await lockOpenScope(target, scope);
  const { rows } = await target.query<PartRow>(
    `SELECT t.parts, t.range_column, p.range_from, p.range_to, t.copy_condition,
            p.copied_at IS NOT NULL AS copied, p.scope, p.rows, p.bytes, p.seconds
       FROM flexlift.part p JOIN flexlift.table_load t USING (table_oid)
      WHERE p.table_oid = $1 AND p.part = $2
        FOR UPDATE OF p`,
    [table.oid, part],
  );
  if (rows[0] === undefined)
    throw new Error(`the ledger knows no part ${part} of the table with oid ${table.oid}`);
  return rows[0];
}

function rangeOf(part: PartRow): RowRange {
  return {
    column: part.range_column ?? undefined,
    from: part.range_from ?? undefined,
    to: part.range_to ?? undefined,
  };
}

function amountOf(part: Pick<PartRow, 'rows' | 'bytes' | 'seconds'>): CopiedAmount & { seconds: number } {
  return { rows: Number(part.rows), bytes: Number(part.bytes), seconds: part.seconds ?? 0 };
}
