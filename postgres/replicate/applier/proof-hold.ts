import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Endpoint } from '../../connect';
import { isProverAlive } from '../../ledger';
import { parseLsn, type Lsn } from '../lsn';
import { holdSnapshot, type HeldSnapshot } from './held-snapshot';

/** Milliseconds. */
const BETWEEN_LOOKS = 200;
const BETWEEN_LOOKS_HELD = 50;

/** How long a prover that lives on the server and says nothing is waited for; milliseconds. */
export interface ProofLimits {
  /** Standing still. Default 30 s. */
  held: number;
  /** Keeping the snapshot, while changes are applied. Default 2 min. */
  reached: number;
}

const LIMITS: ProofLimits = { held: 30_000, reached: 120_000 };

interface ProofRequest {
  request: number;
  state: 'wanted' | 'held' | 'aimed' | 'reached';
  aim_lsn: string | null;
}

export interface ProofHoldArguments {
  endpoint: Endpoint;
  database: string;
  /** The session that applies; used between batches only. */
  target: Client;
  /** Standing still ends as soon as it is true. */
  isOver: () => boolean;
  limits?: Partial<ProofLimits>;
  signal: AbortSignal;
}

/**
 * The applier's side of a proof: it stands still while the prover takes a snapshot of the source, goes on to exactly the
 * commits that snapshot holds, and gives a snapshot of the target as it is there. A request that a run left unfinished is
 * taken up by the next one; one whose prover is gone is over.
 */
export class ProofHold {
  /** Only transactions whose commit is before it may be applied. */
  aim?: Lsn;
  private current?: number;
  private nextLook = 0;
  private reached?: { held: HeldSnapshot; until: number };
  private readonly limits: ProofLimits;

  constructor(private readonly args: ProofHoldArguments) {
    this.limits = { ...LIMITS, ...args.limits };
  }

  /** Looks for a request, at most every 200 ms; returns when changes may be applied, up to {@link aim}. */
  async look(position: Lsn): Promise<void> {
    if (performance.now() < this.nextLook) return;
    let request = await this.newest();
    if (request?.state === 'wanted' || request?.state === 'held') {
      request = await this.standStill(request.request);
    }
    await this.follow(request, position);
    this.nextLook = performance.now() + BETWEEN_LOOKS;
  }

  /** All before the aim is committed, nothing behind it: gives the prover its snapshot. */
  async giveSnapshot(): Promise<void> {
    const { endpoint, database, target, signal } = this.args;
    const held = await holdSnapshot(endpoint, database, signal);
    this.aim = undefined;
    const { rowCount } = await target.query(
      `UPDATE flexlift.proof_request SET state = 'reached', snapshot = $2 WHERE request = $1 AND state = 'aimed'`,
      [this.current, held.snapshot],
    );
    if (rowCount === 0) await held.close();
    else this.reached = { held, until: performance.now() + this.limits.reached };
  }

  async close(): Promise<void> {
    await this.reached?.held.close();
    this.reached = undefined;
  }

  private async newest(): Promise<ProofRequest | undefined> {
    const { target } = this.args;
    const { rows } = await target.query<ProofRequest>(
      `SELECT request, state, aim_lsn FROM flexlift.proof_request WHERE state <> 'over' ORDER BY request DESC`,
    );
    const newest = rows.length > 0 && (await isProverAlive(target)) ? rows[0] : undefined;
    // a prover that begins anew has given up what it asked for before
    const others = rows.filter((row) => row !== newest);
    if (others.length > 0) await this.end(others.map(({ request }) => request));
    return newest;
  }

  private async standStill(request: number): Promise<ProofRequest | undefined> {
    const { target, isOver, signal } = this.args;
    await target.query(
      `UPDATE flexlift.proof_request SET state = 'held' WHERE request = $1 AND state = 'wanted'`,
      [request],
    );
    const until = performance.now() + this.limits.held;
    for (;;) {
      const newest = await this.newest();
      if (newest?.request !== request || newest.state !== 'held' || isOver()) return newest;
      if (performance.now() > until) {
        await this.end([request]);
        return undefined;
      }
      await pause(BETWEEN_LOOKS_HELD, undefined, { signal });
    }
  }

  private async follow(request: ProofRequest | undefined, position: Lsn): Promise<void> {
    this.aim = undefined;
    if (request?.state === 'reached') {
      const { reached } = this;
      const isOurs = reached !== undefined && request.request === this.current;
      if (isOurs && reached.held.isAlive() && performance.now() < reached.until) return;
      await this.end([request.request]);
    }
    await this.close();
    if (request?.state !== 'aimed' || request.aim_lsn === null) return;
    const aim = parseLsn(request.aim_lsn);
    // an earlier run may have applied what lies between
    if (aim < position) return await this.end([request.request]);
    this.current = request.request;
    this.aim = aim;
  }

  private async end(requests: number[]): Promise<void> {
    await endProofRequests(this.args.target, requests);
  }
}

/** @param requests absent: all of them */
export async function endProofRequests(target: Client, requests?: number[]): Promise<void> {
  await target.query(
    `UPDATE flexlift.proof_request SET state = 'over'
      WHERE state <> 'over' AND ($1::int[] IS NULL OR request = ANY ($1))`,
    [requests ?? null],
  );
}
