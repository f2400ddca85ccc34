import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import type { PostgresServer } from '../../embedded';
import { openSession, withSession } from '../support/sessions';
import { DATABASE, type Filling } from './schema';
import { payment, randomTransaction } from './workload';

const SESSIONS = 8;
/** Writes to the target, apart from the others. */
const FIRST_OF_TARGET = SESSIONS;
/** Milliseconds. */
const RETRY = 50;
const TARGET_RETRY = 5;
/** A session that is later than this gives up what it should have written meanwhile. Milliseconds. */
const MOST_LATE = 1_000;
/** Over so many milliseconds the rate is measured. */
const RATE_WINDOW = 10_000;

/**
 * An application that writes at a rate, whatever happens, and measures for itself how long nothing is accepted. Times are
 * this process's clock (`performance.now()`), at the acknowledgement of a commit.
 */
export class Writer {
  accepted = 0;
  /** While nothing was accepted on the source: the longest such time up to the last that was accepted. Milliseconds. */
  longestPause = 0;
  private lastAccepted = NaN;
  private readonly recent: number[] = [];
  private ended = false;
  private readonly loops: Promise<void>[];

  /** Begins at once. @param rate transactions per second, of all sessions */
  constructor(
    private readonly source: PostgresServer,
    private readonly filling: Filling,
    private readonly rate: number,
  ) {
    this.loops = Array.from({ length: SESSIONS }, (_, session) => this.write(session));
  }

  /** Accepted per second over the last time. */
  get acceptedRate(): number {
    const since = performance.now() - RATE_WINDOW;
    return this.recent.filter((at) => at >= since).length / (RATE_WINDOW / 1_000);
  }

  /** Returns when nothing is under way. */
  async stop(): Promise<void> {
    this.ended = true;
    await Promise.all(this.loops);
  }

  /**
   * The source is written to no more; one transaction goes to the target as soon as it is accepted there, and is undone.
   *
   * @returns seconds since the last transaction that the source accepted
   */
  async moveTo(target: PostgresServer, signal: AbortSignal): Promise<number> {
    const { statements, undo } = payment(this.filling, FIRST_OF_TARGET, 1);
    const accepted = await this.firstAccepted(target, statements, signal);
    await this.stop();
    await withSession(target, DATABASE, (client) => client.query(undo));
    return (accepted - this.lastAccepted) / 1_000;
  }

  private async firstAccepted(
    target: PostgresServer,
    statements: string,
    signal: AbortSignal,
  ): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await withSession(target, DATABASE, async (client) => {
          await client.query(statements);
          return performance.now();
        });
      } catch {
        await pause(TARGET_RETRY);
      }
    }
  }

  private async write(session: number): Promise<void> {
    const pace = new Pace(this.rate / SESSIONS);
    let number = 0;
    while (!this.ended) {
      let client: Client | undefined;
      try {
        client = await openSession(this.source, DATABASE);
        while (!this.ended) {
          await pace.next();
          if (this.isEnded()) break;
          number += 1;
          await client.query(randomTransaction(this.filling, session, number));
          this.noteAccepted(performance.now());
        }
      } catch {
        await pause(RETRY);
      } finally {
        await client?.end().catch(() => undefined);
      }
    }
  }

  /** It may have come to its end during a wait, which the compiler does not see. */
  private isEnded(): boolean {
    return this.ended;
  }

  private noteAccepted(now: number): void {
    this.accepted += 1;
    if (now - this.lastAccepted > this.longestPause) this.longestPause = now - this.lastAccepted;
    this.lastAccepted = now;
    this.recent.push(now);
    if (this.recent.length > 2 * this.rate * (RATE_WINDOW / 1_000)) {
      this.recent.splice(0, this.recent.length / 2);
    }
  }
}

/** When a session is to write: at random moments, so many in a second on average, kept also where one took long. */
class Pace {
  private due = performance.now();

  constructor(private readonly rate: number) {}

  async next(): Promise<void> {
    this.due += (-Math.log(1 - Math.random()) * 1_000) / this.rate;
    const now = performance.now();
    if (this.due < now - MOST_LATE) this.due = now;
    if (this.due > now) await pause(this.due - now);
  }
}
