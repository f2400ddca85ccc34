import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { withLedger, type LedgerIdentity } from './ledger';
import { lockStream } from './stream';

/**
 * Begins the next attempt to cut over, once nothing of an earlier one is under way. From then on whatever is late of the
 * earlier ones is refused.
 *
 * @returns the attempt's number, from 1 on; a call whose answer was lost leaves a gap
 * @throws FlexliftError LedgerForeign where nothing is replicated; LedgerReleased
 */
export async function beginCutover(client: Client, identity: LedgerIdentity): Promise<number> {
  return await withLedger(client, identity, async () => {
    await holdStream(client, 'UPDATE');
    await client.query('UPDATE flexlift.stream SET cutover = cutover + 1');
    return await cutoverAttempt(client);
  });
}

/** The number of the last attempt; 0: there was none yet. */
export async function cutoverAttempt(client: Client): Promise<number> {
  const { rows } = await client.query<{ cutover: number }>('SELECT cutover FROM flexlift.stream');
  return rows[0]?.cutover ?? 0;
}

/**
 * Refuses all further work of an attempt, once what is under way of it has ended. Repeating it is harmless.
 *
 * @throws FlexliftError CutoverRefused where a later attempt has begun
 */
export async function callOffCutover(
  client: Client,
  identity: LedgerIdentity,
  attempt: number,
): Promise<void> {
  await withLedger(client, identity, async () => {
    await holdStream(client, 'UPDATE');
    if ((await cutoverAttempt(client)) !== attempt) throw over(attempt);
    await client.query(
      `INSERT INTO flexlift.step (kind, key) VALUES ('called-off', $1) ON CONFLICT DO NOTHING`,
      [String(attempt)],
    );
  });
}

/**
 * `withLedger` for work of one attempt: it is refused once the attempt is called off or another one has begun, and
 * either of them waits for its end.
 *
 * @param attempt absent: the work belongs to no attempt
 * @throws FlexliftError CutoverRefused
 */
export async function withCutover<T>(
  client: Client,
  identity: LedgerIdentity,
  attempt: number | undefined,
  work: () => Promise<T>,
): Promise<T> {
  return await withLedger(client, identity, async () => {
    await holdCutover(client, attempt);
    return await work();
  });
}

/**
 * Until the transaction ends, the attempt can neither be called off nor be followed by another one. Not before the
 * ledger's own lock.
 *
 * @param attempt absent: nothing is held
 * @throws FlexliftError CutoverRefused where that has happened already
 */
export async function holdCutover(client: Client, attempt: number | undefined): Promise<void> {
  if (attempt !== undefined) await refuseUnless(client, attempt, { calledOff: false });
}

/** The key of a step that each attempt does anew. */
export function stepKey(key: string, attempt: number | undefined): string {
  return attempt === undefined ? key : `cutover ${attempt}: ${key}`;
}

/** As `withCutover`, for what undoes an attempt that was called off: the next attempt waits for its end. */
export async function withCalledOffCutover<T>(
  client: Client,
  identity: LedgerIdentity,
  attempt: number,
  work: () => Promise<T>,
): Promise<T> {
  return await withLedger(client, identity, async () => {
    await refuseUnless(client, attempt, { calledOff: true });
    return await work();
  });
}

async function refuseUnless(client: Client, attempt: number, wanted: { calledOff: boolean }): Promise<void> {
  await holdStream(client, 'KEY SHARE');
  // a statement of its own: that of the lock sees what was there before it had to wait
  const { rows } = await client.query<{ cutover: number; called_off: boolean }>(
    `SELECT cutover,
            EXISTS (SELECT FROM flexlift.step WHERE kind = 'called-off' AND key = $1) AS called_off
       FROM flexlift.stream`,
    [String(attempt)],
  );
  if (rows[0]?.cutover !== attempt || rows[0].called_off !== wanted.calledOff) throw over(attempt);
}

async function holdStream(client: Client, strength: 'KEY SHARE' | 'UPDATE'): Promise<void> {
  if (await lockStream(client, strength)) return;
  throw new FlexliftError({
    code: 'LedgerForeign',
    sentence: 'The ledger in the target database knows no replication that could be cut over.',
    remedy: 'Cancel this migration and start it again.',
  });
}

function over(attempt: number): FlexliftError {
  return new FlexliftError({
    code: 'CutoverRefused',
    sentence: `Attempt ${attempt} to cut over has ended; this is late work of it.`,
    remedy: 'Nothing to do: begin another cutover when it suits.',
  });
}
