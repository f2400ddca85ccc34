import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { withLedger, type LedgerIdentity } from '../ledger';
import { formatLsn, type Lsn } from '../replicate/lsn';

type RequestState = 'wanted' | 'held' | 'aimed' | 'reached' | 'over';

interface RequestRow {
  state: RequestState;
  snapshot: string | null;
}

/** Milliseconds. */
const POLL_INTERVAL = 50;

/** One round's talk with the applier, by a row of `flexlift.proof_request`. */
export class ProofRequest {
  private constructor(
    private readonly ledger: Client,
    private readonly identity: LedgerIdentity,
    readonly number: number,
  ) {}

  /** Asks the applier to stand still. A request that a dead prover has left behind is over. */
  static async open(ledger: Client, identity: LedgerIdentity): Promise<ProofRequest> {
    return await withLedger(ledger, identity, async () => {
      await ledger.query(`UPDATE flexlift.proof_request SET state = 'over' WHERE state <> 'over'`);
      const { rows } = await ledger.query<{ request: number }>(
        `INSERT INTO flexlift.proof_request (state) VALUES ('wanted') RETURNING request`,
      );
      return new ProofRequest(ledger, identity, rows[0]?.request ?? 0);
    });
  }

  /** @throws FlexliftError Contention where the applier does not stand still in time; milliseconds */
  async untilHeld(timeout: number, signal: AbortSignal): Promise<void> {
    await this.until('held', timeout, signal);
  }

  /** @throws FlexliftError Contention where the applier did not stand still for so long */
  async aim(lsn: Lsn): Promise<void> {
    const { rowCount } = await withLedger(this.ledger, this.identity, () =>
      this.ledger.query(
        `UPDATE flexlift.proof_request SET state = 'aimed', aim_lsn = $2 WHERE request = $1 AND state = 'held'`,
        [this.number, formatLsn(lsn)],
      ),
    );
    if (rowCount === 0) throw contention('The applier went on before it was told to where.');
  }

  /**
   * @returns the target's snapshot with exactly the commits before the aim
   * @throws FlexliftError Contention where the applier does not get there in time; milliseconds
   */
  async untilReached(timeout: number, signal: AbortSignal): Promise<string> {
    const { snapshot } = await this.until('reached', timeout, signal);
    if (snapshot === null) throw contention('The applier named no snapshot.');
    return snapshot;
  }

  /** Lets the applier go, and with it its snapshot. Repeating it is harmless. */
  async end(): Promise<void> {
    await withLedger(this.ledger, this.identity, () =>
      this.ledger.query(`UPDATE flexlift.proof_request SET state = 'over' WHERE request = $1`, [this.number]),
    );
  }

  private async until(state: RequestState, timeout: number, signal: AbortSignal): Promise<RequestRow> {
    const end = Date.now() + timeout;
    for (;;) {
      signal.throwIfAborted();
      const { rows } = await this.ledger.query<RequestRow>(
        'SELECT state, snapshot FROM flexlift.proof_request WHERE request = $1',
        [this.number],
      );
      if (rows[0]?.state === state) return rows[0];
      if (rows[0]?.state === 'over') throw contention('The applier gave the proof up.');
      if (Date.now() > end) throw contention('The applier does not answer.');
      await pause(POLL_INTERVAL, undefined, { signal });
    }
  }
}

function contention(sentence: string): FlexliftError {
  return new FlexliftError({
    code: 'Contention',
    sentence,
    remedy: 'Nothing to do: the proof is tried again; look at the replication if it lasts.',
    side: 'target',
  });
}
