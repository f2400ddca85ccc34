import type { Lsn } from '../lsn';
import type { StreamEvent } from './change';

/** What a slot sends through pgoutput; see `openChangeStream`. */
export interface ChangeStream {
  /**
   * Waits for the next events; whole messages, in order; at least one, or, after `wait` milliseconds without any, none.
   * One read at a time.
   *
   * @throws FlexliftError SlotLost, ServerRestarting, Unreachable…, after all that came before has been read; the
   * signal's reason
   */
  read(wait: number): Promise<StreamEvent[]>;
  /** Something was received that nobody has read. */
  readonly hasMore: boolean;
  /**
   * All before it is durable on the target. Sent with the next status: within a second, and again every ten. Never goes
   * back.
   */
  confirm(lsn: Lsn): void;
  /** Asks the server how far it has sent, so that a `position` comes soon; none comes in the middle of a transaction. */
  askPosition(): void;
  /** The server's, see `KnownSource`; the same as long as the session lasts. */
  readonly timeline: number;
  /** Sends what was confirmed, ends the session and with it the hold on the slot; to be called after a failure too. */
  close(): Promise<void>;
}
