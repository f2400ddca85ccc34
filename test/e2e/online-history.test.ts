import {
  databaseWorkflowId,
  DEFAULT_TIMEOUTS,
  replicateWorkflowId,
  RESUME_UPDATE,
  type MigrationRequest,
} from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import { TEST_TIMEOUTS } from '../support/migration';
import {
  cutOver,
  expectReleased,
  untilLive,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';

const SOURCE = 14;
const TARGET = 15;
/** No history nears this; see the limits of a Temporal server. */
const EVENTS = 4_000;
/** More than one run of a replication takes. */
const MANY_EVENTS = 2_100;
/** So many times shorter than it is by default is what a day is made of. */
const SHORTER = 1_500;
/** Milliseconds, at most. */
const A_SHORT_DAY = 250_000;

const online = useOnlineMigrations(SOURCE, TARGET);
const { shop } = online;

const timeouts: MigrationRequest['timeouts'] = {
  ...TEST_TIMEOUTS,
  // so long that what comes meanwhile comes while it is under way
  segment: 8_000,
  proof: 60_000,
  watch: 500,
};

function replicationOf({ handle }: Online): string {
  return replicateWorkflowId(databaseWorkflowId(handle.workflowId, shop.database));
}

/** Makes a history as long as that of days: orders to go on change nothing. */
async function lengthenHistory(migration: Online): Promise<void> {
  const replication = shop.migrations.client.workflow.getHandle(replicationOf(migration));
  while ((await replication.describe()).historyLength < MANY_EVENTS) {
    await Promise.all(Array.from({ length: 100 }, () => replication.signal(RESUME_UPDATE, {})));
  }
}

interface Run {
  runId: string;
  status: string;
  events: number;
}

async function runsOf(workflowId: string): Promise<Run[]> {
  const runs: Run[] = [];
  for await (const run of shop.migrations.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const { historyLength } = await shop.migrations.client.workflow
      .getHandle(workflowId, run.runId)
      .describe();
    runs.push({ runId: run.runId, status: run.status.name, events: historyLength });
  }
  return runs;
}

/** How many activities of this type all runs of the replication have begun. */
async function begun(migration: Online, activity: string): Promise<number> {
  const workflowId = replicationOf(migration);
  let found = 0;
  for (const { runId } of await runsOf(workflowId)) {
    const { events } = await shop.migrations.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const types = (events ?? []).map(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name,
    );
    found += types.filter((type) => type === activity).length;
  }
  return found;
}

async function expectSmallAbove({ handle: { workflowId } }: Online): Promise<void> {
  for (const above of [workflowId, databaseWorkflowId(workflowId, shop.database)]) {
    const [only, ...others] = await runsOf(above);
    expect(others).toEqual([]);
    expect(only?.events).toBeLessThan(MANY_EVENTS / 4);
  }
}

describe('a replication that goes on for long', () => {
  itInAll(
    'keeps small histories over as many segments as a day has, and the proofs between them',
    async () => {
      const { segment, proof } = DEFAULT_TIMEOUTS;
      const segmentsOfADay = (24 * 3_600_000) / segment;
      const shortened = { ...timeouts, segment: segment / SHORTER, proof: proof / SHORTER };
      const migration = await online.start({ timeouts: shortened });
      shop.startWorker(migration.request.pool);
      await untilReplication(migration.handle, 'ReadyForCutover');
      let [segments, proofs] = [0, 0];
      await eventually(
        'the end of the day',
        async () => {
          segments = await begun(migration, 'applyChanges');
          proofs = await begun(migration, 'planProofs');
          return segments >= segmentsOfADay && proofs > 10;
        },
        { timeout: A_SHORT_DAY, interval: 3_000, seen: () => `${segments} segments, ${proofs} proofs` },
      );
      expect((await cutOver(migration.handle)).cutover?.state).toBe('Released');
      await expectReleased(shop, migration, [SOURCE, TARGET]);
      const events = (await runsOf(replicationOf(migration))).map((run) => run.events);
      expect(Math.max(...events)).toBeLessThan(EVENTS);
      await expectSmallAbove(migration);
    },
  );

  itInAll(
    'begins a new history before the old one is too long, and hears what it is told meanwhile',
    async () => {
      const migration = await online.start({ timeouts });
      shop.startWorker(migration.request.pool);
      await untilReplication(migration.handle, 'ReadyForCutover');
      await lengthenHistory(migration);
      await eventually('a second run', async () => (await runsOf(replicationOf(migration))).length > 1);
      const { changes } = await untilLive(migration.handle, 'figures', () => true);
      await untilLive(
        migration.handle,
        'it applies on',
        (live) => live.changes.updates > changes.updates + 20,
      );

      await lengthenHistory(migration);
      const released = await cutOver(migration.handle);
      expect(released.cutover?.state).toBe('Released');
      await expectReleased(shop, migration, [SOURCE, TARGET]);
      const runs = await runsOf(replicationOf(migration));
      expect(runs.map(({ status }) => status)).toContain('CONTINUED_AS_NEW');
      expect(Math.max(...runs.map(({ events }) => events))).toBeLessThan(EVENTS);
      // those above hear of changes of state alone
      await expectSmallAbove(migration);
    },
  );
});
