import type { Client } from 'pg';
import { FlexliftError, type FailurePlace } from '../../contract';
import type { Endpoint } from './endpoint';
import { mapPostgresError } from './map-error';
import { socketOf } from './open';
import { askBeside, backendOf } from './second-session';

/** Milliseconds. */
const SILENCE = 60_000;
const LOOKS_PER_SILENCE = 4;
/** A server that is only busy may refuse one connection. */
const MOST_FAILURES = 2;

/**
 * What the server says of a session; `waits`: for what we send, and has for some time. Through a pooler the backends that
 * clients are told of are not the server's.
 */
const LOOK_SQL = `
  SELECT pg_catalog.pg_backend_pid() AS own, a.pid IS NOT NULL AS lives,
         COALESCE(a.wait_event = 'ClientRead'
                  AND a.state_change < pg_catalog.clock_timestamp() - $2 * interval '1 millisecond', false) AS waits
    FROM (SELECT) one LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = $1`;

const fed = new WeakSet<Client>();

export interface WatchedSession {
  endpoint: Endpoint;
  database: string;
  place: FailurePlace;
}

/**
 * Ends a session whose answer is waited for in vain: a firewall or a failover that forgets a connection closes neither of
 * its ends, and a statement may rightly take days. So where nothing comes for long, the server is asked on another
 * session whether it is still at work on this one.
 */
export function watchSilence(client: Client, session: WatchedSession): void {
  const watch = new SilenceWatch(client, session);
  const timer = setInterval(() => void watch.look(), watch.silence / LOOKS_PER_SILENCE);
  timer.unref();
  socketOf(client).once('close', () => clearInterval(timer));
}

/** Meanwhile what is sent on the session comes from elsewhere: the server may rightly wait for it. */
export async function whileFed<T>(client: Client, work: () => Promise<T>): Promise<T> {
  fed.add(client);
  try {
    return await work();
  } finally {
    fed.delete(client);
  }
}

class SilenceWatch {
  readonly silence: number;
  private bytes = 0;
  private heardAt = performance.now();
  private failures = 0;
  private isAsking = false;

  constructor(
    private readonly client: Client,
    private readonly session: WatchedSession,
  ) {
    this.silence = session.endpoint.silence ?? SILENCE;
  }

  async look(): Promise<void> {
    if (this.isAsking) return;
    if (this.isHeard) {
      this.heard();
      return;
    }
    if (performance.now() - this.heardAt < this.silence) return;
    this.isAsking = true;
    const isAtWork = await this.isAtWork();
    this.isAsking = false;
    if (this.isHeard) return;
    if (isAtWork === true) this.heard();
    if (isAtWork === undefined) this.failures += 1;
    if (isAtWork === false || this.failures >= MOST_FAILURES) this.giveUp();
  }

  /** Bytes move, or none are waited for. */
  private get isHeard(): boolean {
    const { client } = this;
    const socket = socketOf(client);
    const isIdle = (client as Client & { readyForQuery: boolean }).readyForQuery;
    return isIdle || socket.isPaused() || socket.bytesRead + socket.bytesWritten !== this.bytes;
  }

  private heard(): void {
    const { bytesRead, bytesWritten } = socketOf(this.client);
    this.bytes = bytesRead + bytesWritten;
    this.heardAt = performance.now();
    this.failures = 0;
  }

  /** `undefined`: the server cannot be reached. */
  private async isAtWork(): Promise<boolean | undefined> {
    const { endpoint, database, place } = this.session;
    try {
      const { rows, backend } = await askBeside<{ own: number; lives: boolean; waits: boolean }>(
        endpoint,
        database,
        LOOK_SQL,
        [backendOf(this.client), this.silence / 2],
      );
      const [seen] = rows;
      if (seen === undefined || seen.own !== backend) return true;
      return seen.lives && (!seen.waits || fed.has(this.client));
    } catch (error) {
      // a server that answers, if only that it takes no more sessions, may be at work on this one
      return mapPostgresError(error, place).code === 'Unreachable' ? undefined : true;
    }
  }

  private giveUp(): void {
    const { place } = this.session;
    socketOf(this.client).destroy(
      new FlexliftError({
        code: 'Unreachable',
        sentence: `The ${place.side ?? 'server'} cannot be reached: it has sent nothing for ${Math.round(this.silence / 1000)} seconds, though it was asked.`,
        remedy: 'Nothing to do if the network is back: the work goes on by itself.',
        ...place,
      }),
    );
  }
}
