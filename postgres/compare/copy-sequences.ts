import type { Client } from 'pg';
import { stepKey, withCutover, type LedgerIdentity } from '../ledger';
import { readSequences, type SequenceState } from './sequences';

export interface CopySequencesRequest {
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  /** The cutover that they are set for, where there is one: each sets all of them anew. */
  attempt?: number;
  signal: AbortSignal;
}

/** Sequences set in one transaction. */
const BATCH = 500;

/**
 * Brings every sequence of the target to where the source's stands. `setval` is undone by no rollback, so the ledger's
 * row, and with it the lock, comes first: a late attempt finds it, or the release, and never rewinds a live sequence.
 *
 * @returns how many sequences this call set.
 * @throws FlexliftError LedgerForeign, LedgerReleased; CutoverRefused where the cutover is called off; StatementRejected where the target lacks a sequence.
 */
export async function copySequences(request: CopySequencesRequest): Promise<number> {
  const { source, target, identity, attempt, signal } = request;
  const states = await readSequences(source, signal);
  let copied = 0;
  for (let start = 0; start < states.length; start += BATCH) {
    signal.throwIfAborted();
    const batch = states.slice(start, start + BATCH);
    copied += await withCutover(target, identity, attempt, () => applySequences(target, batch, attempt));
  }
  return copied;
}

async function applySequences(target: Client, states: SequenceState[], attempt?: number): Promise<number> {
  const { rows } = await target.query<{ key: string }>(
    `INSERT INTO flexlift.step (kind, key)
     SELECT 'sequence', key FROM pg_catalog.unnest($1::pg_catalog.text[]) AS key
         ON CONFLICT DO NOTHING RETURNING key`,
    [states.map((state) => stepKey(state.name, attempt))],
  );
  const taken = new Set(rows.map((row) => row.key));
  const todo = states.filter((state) => taken.has(stepKey(state.name, attempt)));
  await target.query(
    `SELECT pg_catalog.setval(name::pg_catalog.regclass, value, called)
       FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.int8[]),
                       pg_catalog.unnest($3::pg_catalog.bool[])) AS state(name, value, called)`,
    [
      todo.map((state) => state.name),
      todo.map((state) => state.lastValue),
      todo.map((state) => state.isCalled),
    ],
  );
  return todo.length;
}
