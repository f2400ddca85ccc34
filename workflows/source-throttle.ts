import {
  condition,
  defineSignal,
  defineUpdate,
  setHandler,
  type ChildWorkflowHandle,
  type Workflow,
} from '@temporalio/workflow';
import {
  databasesAtOnce,
  fewestConnections,
  shareOf,
  THROTTLE_UPDATE,
  tooFewConnections,
  type DatabaseStep,
  type MigrationRequest,
  type MigrationStatus,
  type ThrottleRequest,
  type ThrottleShare,
} from '../contract';
import { Limiter } from './limiter';
import type { MigrationLog } from './migration-log';
import { refuse } from './order-checks';

const throttleUpdate = defineUpdate<MigrationStatus, [ThrottleRequest]>(THROTTLE_UPDATE);
export const throttleSignal = defineSignal<[ThrottleShare]>(THROTTLE_UPDATE);

/** Shares what the source may be asked for among the databases that load; a person may change it at any time. */
export class SourceThrottle {
  private readonly loading = new Set<string>();
  private readonly slots: Limiter;

  constructor(
    private readonly request: MigrationRequest,
    private readonly log: MigrationLog,
  ) {
    this.slots = new Limiter(() => databasesAtOnce(this.sharing));
    setHandler(
      throttleUpdate,
      (change) => {
        log.noteThrottle(change);
        this.slots.admit();
        return log.status;
      },
      {
        validator: (change: ThrottleRequest) => this.check(change),
        description: 'How much the source may be asked for: bytes a second, sessions',
      },
    );
  }

  /** Runs the load of a database when its turn comes. */
  async whileLoading<T>(database: string, load: () => Promise<T>): Promise<T> {
    return await this.slots.run(async () => {
      this.loading.add(database);
      try {
        return await load();
      } finally {
        this.loading.delete(database);
      }
    });
  }

  /** Those that load no more may copy a table anew, or compare at their cutover: each has its share beside those that load. */
  shareFor(database: string): ThrottleShare {
    const { databases } = this.log.status;
    const active = databases.filter(
      ({ startedAt, endedAt }) => startedAt !== undefined && endedAt === undefined,
    ).length;
    const sharers = this.loading.has(database) ? this.loading.size : active;
    return shareOf(this.sharing, Math.max(1, sharers));
  }

  private get sharing() {
    const { limits, mode } = this.request;
    const { throttle, databases, concurrency = limits } = this.log.status;
    return { throttle, limits: concurrency, mode, databases: databases.length };
  }

  private check({ maxRate, maxConnections }: ThrottleRequest): void {
    const { mode, databases, endedAt } = this.log.status;
    if (endedAt !== undefined) refuse('The migration has ended.', 'See flexlift show.', 'InvalidRequest');
    for (const [name, bound] of Object.entries({ maxRate, maxConnections })) {
      if (bound === undefined || bound === null || (Number.isFinite(bound) && bound > 0)) continue;
      refuse(`${name} is ${JSON.stringify(bound)}.`, 'Give a number above 0, or null.', 'InvalidRequest');
    }
    if (maxConnections !== undefined && databases.length === 0)
      refuse('The migration is not ready: it is being validated.', 'Wait for it.');
    const fewest = fewestConnections(mode, databases.length);
    const tooFew = tooFewConnections(maxConnections, fewest);
    if (tooFew !== undefined) refuse(tooFew, `Give --max-connections ${fewest} or more.`, 'InvalidRequest');
  }
}

/** Where nobody bounds anything: all that the limits allow. */
export function wholeShare({ request: { limits } }: DatabaseStep): ThrottleShare {
  return { copiesAtOnce: limits.copiesAtOnce };
}

/** Tells a child each new share of its own, one after the other, until its `result` is there. */
export async function passOn<T>(
  child: ChildWorkflowHandle<Workflow>,
  { share, told, result }: { share: () => ThrottleShare; told: ThrottleShare; result: Promise<T> },
): Promise<T> {
  let isOver = false;
  const passing = (async () => {
    for (let last = told; ;) {
      await condition(() => isOver || !areEqual(share(), last));
      if (isOver) return;
      last = share();
      await child.signal(throttleSignal, last);
    }
  })();
  // it ends before the child, or with it
  passing.catch(() => undefined);
  try {
    return await result;
  } finally {
    isOver = true;
  }
}

function areEqual(one: ThrottleShare, other: ThrottleShare): boolean {
  return one.copiesAtOnce === other.copiesAtOnce && one.bytesPerSecond === other.bytesPerSecond;
}
