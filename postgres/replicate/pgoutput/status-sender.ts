import type { Lsn } from '../lsn';
import { statusUpdate } from './walsender-messages';

/** Milliseconds: what was confirmed goes out this soon. */
const TICK = 1_000;

export interface StatusSenderOptions {
  write: (message: Buffer) => void;
  /** Milliseconds between two status updates at most. */
  interval: number;
  /** Milliseconds without a byte, though the server was asked, after which the connection counts as dead. */
  silence: number;
  /** Milliseconds without a byte until now. */
  quiet: () => number;
  /** Whether the server is at work and will answer later. */
  isDecoding: () => Promise<boolean>;
  onDead: () => void;
}

/** Tells the server what is durable, and notices where nobody is there any more to be told. */
export class StatusSender {
  private confirmed: Lsn = 0n;
  private sent: Lsn = 0n;
  private sentAt = performance.now();
  private answerDue = false;
  private probedAt: number | undefined;
  private judging = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: StatusSenderOptions) {}

  start(): void {
    this.sentAt = performance.now();
    this.timer = setInterval(() => this.tick(), Math.min(TICK, this.options.interval));
  }

  /** Sends what was confirmed and not sent yet. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    if (this.confirmed > this.sent) this.send();
  }

  confirm(lsn: Lsn): void {
    if (lsn > this.confirmed) this.confirmed = lsn;
  }

  /** One question at a time. */
  ask(): void {
    if (this.answerDue) return;
    this.answerDue = true;
    this.send({ requestReply: true });
  }

  /** The server has said how far it has sent. */
  answered(): void {
    this.answerDue = false;
  }

  send({ requestReply = false } = {}): void {
    this.sent = this.confirmed;
    this.sentAt = performance.now();
    this.options.write(statusUpdate(this.confirmed, requestReply));
  }

  private tick(): void {
    const { interval, silence } = this.options;
    const now = performance.now();
    if (this.confirmed > this.sent || now - this.sentAt >= interval) this.send();
    const quiet = this.options.quiet();
    if (this.probedAt !== undefined && quiet < now - this.probedAt) this.probedAt = undefined;
    if (quiet < silence / 2 || this.judging) return;
    if (this.probedAt === undefined) {
      this.probedAt = now;
      this.send({ requestReply: true });
    } else if (quiet >= silence && now - this.probedAt >= silence / 2) {
      void this.judge(this.probedAt);
    }
  }

  private async judge(probedAt: number): Promise<void> {
    this.judging = true;
    const atWork = await this.options.isDecoding().catch(() => false);
    this.judging = false;
    const heard = this.options.quiet() < performance.now() - probedAt;
    if (heard || this.timer === undefined) return;
    if (atWork) this.probedAt = undefined;
    else this.options.onDead();
  }
}
