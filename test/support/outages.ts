import { setTimeout as pause } from 'node:timers/promises';
import { migrationSnapshot } from '../../client/migration-snapshot';
import { retrying, trouble } from '../../cli/live/progress-lines';
import { parseLsn } from '../../postgres/replicate/lsn';
import { eventually } from './eventually';
import { untilLive, type Online } from './online';
import { withSession, type Major } from './servers';

/** An outage may last a minute, and what is retried meanwhile comes back a little later. Milliseconds. */
const PATIENCE = 180_000;
const BETWEEN_LOOKS = 200;

type Sides = Record<'source' | 'target', Major>;

/** Waits until `flexlift show` says in one line that this server cannot be reached. */
export async function untilUnreachable({ handle }: Online, side: keyof Sides): Promise<void> {
  const sentence = new RegExp(
    `(The ${side} cannot be reached|The connection to the ${side} broke): .*\\(${side}, 127`,
  );
  await eventually(
    `a ${side} that cannot be reached`,
    async () => trouble(await migrationSnapshot(handle)).some((line) => sentence.test(line)),
    { timeout: PATIENCE, interval: 100 },
  );
}

/** Waits until all that the source has committed by now is on the target, and nothing waits for its next try. */
export async function untilCaughtUp(online: Online, { source }: Sides): Promise<void> {
  const flushed = parseLsn(
    await textOf(source, databaseOf(online), 'SELECT pg_current_wal_flush_lsn()::text AS text'),
  );
  const isThere = (lsn: string) => parseLsn(lsn) >= flushed;
  await untilLive(
    online.handle,
    'all that was committed',
    ({ state, lsn }) => state === 'ReadyForCutover' && isThere(lsn),
    PATIENCE,
  );
  await eventually('the end of all retries', async () => {
    const { activities } = await migrationSnapshot(online.handle);
    return retrying(activities, Date.now()).length === 0;
  });
}

/** Compares, all the time, what the slot was told with what the target's ledger holds. */
export class ConfirmedPositions {
  private looks = 0;
  private ended = false;
  private readonly wrong: string[] = [];
  private readonly loop: Promise<void>;

  private constructor(
    private readonly online: Pick<Online, 'request'>,
    private readonly sides: Sides,
  ) {
    this.loop = this.watch();
  }

  static watch(online: Pick<Online, 'request'>, sides: Sides): ConfirmedPositions {
    return new ConfirmedPositions(online, sides);
  }

  async stop(): Promise<void> {
    this.ended = true;
    await this.loop;
  }

  /** Nothing was ever confirmed that was not durably on the target. */
  async expectDurable(): Promise<void> {
    await this.stop();
    expect(this.wrong).toEqual([]);
    expect(this.looks).toBeGreaterThan(10);
  }

  private async watch(): Promise<void> {
    while (!this.ended) {
      // a server that is being restarted answers the next time
      await this.look().catch(() => undefined);
      await pause(BETWEEN_LOOKS);
    }
  }

  private async look(): Promise<void> {
    const { source, target } = this.sides;
    const database = databaseOf(this.online);
    const slot = `flexlift_${this.online.request.migrationId}_`;
    const confirmed = await textOf(
      source,
      database,
      `SELECT confirmed_flush_lsn::text AS text FROM pg_replication_slots WHERE starts_with(slot_name, '${slot}') AND NOT temporary`,
    );
    const durable = await textOf(target, database, 'SELECT lsn::text AS text FROM flexlift.stream');
    this.looks += 1;
    if (parseLsn(confirmed) > parseLsn(durable)) this.wrong.push(`${confirmed} after ${durable}`);
  }
}

function databaseOf({ request }: Pick<Online, 'request'>): string {
  return request.databases?.[0] ?? '';
}

async function textOf(major: Major, database: string, sql: string): Promise<string> {
  const { rows } = await withSession(major, database, (client) => client.query<{ text: string }>(sql));
  if (rows[0] === undefined) throw new Error('no row');
  return rows[0].text;
}
