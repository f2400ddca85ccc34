import { cleanUpStep } from '../../../activities/clean-up';
import { releaseStep } from '../../../activities/release';
import type { Run } from '../../../activities/support/run';
import type { FlexliftError } from '../../../contract';
import { withConnection, type Endpoint, type Side } from '../../../postgres/connect';
import { resetEmptied, witnessUnlogged } from '../../../postgres/copy';
import { raiseFence, readFence } from '../../../postgres/fence';
import { beginCutover, callOffCutover, readLedger } from '../../../postgres/ledger';
import { testRequest } from '../../support/migration';
import { testAddress, testEndpoint, type Major } from '../../support/servers';
import { ReplicationFixture } from '../replicate/applier-fixture';

const { signal } = new AbortController();
const SOURCE: Major = 15;
const TARGET: Major = 17;
/** Nobody listens there. */
const NO_PORT = 1;

let fixture: ReplicationFixture;
beforeEach(async () => {
  fixture = await ReplicationFixture.create(SOURCE, TARGET, 'CREATE TABLE t (id int PRIMARY KEY)');
});
afterEach(() => fixture.drop());

function runWith(change: Partial<Record<Side, Endpoint>> = {}): Run {
  const { migrationId } = fixture.identity;
  const name = (activity: string) => `flexlift:${migrationId}:${activity}:test:1`;
  const endpoint = (side: Side) =>
    change[side] ?? testEndpoint(side === 'source' ? SOURCE : TARGET, side, name('cleanUp'));
  const session: Run['session'] = (side, database, work) =>
    withConnection(endpoint(side), database, signal, work);
  const request = {
    ...testRequest(testAddress(SOURCE), testAddress(TARGET), { migrationId, mode: 'Online' }),
  };
  return { request, identity: fixture.identity, signal, attempt: 1, endpoint, session } as Run;
}

function step(run: Run) {
  return { request: run.request, database: fixture.database };
}

async function raise(): Promise<void> {
  await raiseFence({
    source: testEndpoint(SOURCE, 'source', `flexlift:${fixture.identity.migrationId}:raiseFence:test:1`),
    database: fixture.database,
    migrationId: fixture.identity.migrationId,
    attempt: 1,
    mode: 'read-only',
    unseen: [],
    confirm: () => Promise.resolve(),
    signal,
    onProgress: () => undefined,
  });
}

async function isFenced(): Promise<boolean> {
  return await withConnection(
    testEndpoint(SOURCE, 'source'),
    fixture.database,
    signal,
    async (client) => (await readFence(client, fixture.identity.migrationId)) !== undefined,
  );
}

function unreachable(side: Side, major: Major): Endpoint {
  const endpoint = testEndpoint(major, side);
  return { ...endpoint, address: { ...endpoint.address, port: NO_PORT } };
}

function refusing(side: Side, major: Major): Endpoint {
  const endpoint = testEndpoint(major, side);
  return { ...endpoint, address: { ...endpoint.address, user: 'nobody_of_this_name' } };
}

it('a cancellation lets the application write again though the target is gone', async () => {
  await raise();
  expect(await isFenced()).toBe(true);
  const run = runWith({ target: unreachable('target', TARGET) });
  const cleaned = cleanUpStep({ ...step(run), onCancel: 'keep-target' }, run);
  await expect(cleaned).rejects.toMatchObject({ code: 'Unreachable' });
  expect(await isFenced()).toBe(false);
});

it('a cancellation ends though the target stays gone, and says what is left there', async () => {
  const run = { ...runWith({ target: unreachable('target', TARGET) }), attempt: 3 };
  const cleaned = await cleanUpStep({ ...step(run), onCancel: 'drop-target' }, run);
  expect(cleaned).toMatchObject({
    targetLeft: { code: 'CleanUpNeeded', side: 'target', remedy: expect.stringContaining('Drop') as string },
  });
  expect(cleaned.left).toBeUndefined();
});

it('a source that refuses to be tidied up is a person’s to tidy, with the SQL for it', async () => {
  const run = runWith({ source: refusing('source', SOURCE) });
  const { left } = await cleanUpStep({ ...step(run), onCancel: 'keep-target' }, run);
  expect(left?.sql).toContain('pg_drop_replication_slot');
  expect(left?.failure).toMatchObject({
    code: 'CleanUpNeeded',
    sentence: expect.stringContaining('nobody_of_this_name') as string,
  });
});

it('a release that may have been carried out is waited for, whatever the target refuses', async () => {
  const refused = refusing('target', TARGET);
  const released = (attempt: number) => {
    const run = { ...runWith({ target: refused }), attempt };
    return releaseStep({ ...step(run), differences: [], attempt: 1 }, run);
  };
  await expect(released(1)).rejects.toMatchObject({ failureClass: 'permanent' });
  await expect(released(2)).rejects.toMatchObject({
    code: 'ReleaseUnknown',
    failureClass: 'waiting',
    message: expect.stringContaining('nobody_of_this_name') as string,
  });
});

it('so it is where the target answers a question, but refuses the release itself', async () => {
  const refused = refusing('target', TARGET);
  const released = (attempt: number) => {
    const run = { ...runWith(), attempt, endpoint: () => refused };
    return releaseStep({ ...step(run), differences: [], attempt: 1 }, run);
  };
  await expect(released(1)).rejects.toMatchObject({ failureClass: 'permanent' });
  await expect(released(2)).rejects.toMatchObject({ code: 'ReleaseUnknown' });
});

it('unlogged tables that were emptied meanwhile are not released', async () => {
  const { target, identity } = fixture;
  await target.query('ALTER TABLE public.t SET UNLOGGED');
  await withConnection(testEndpoint(TARGET, 'target'), fixture.database, signal, async (client) => {
    const attempt = await beginCutover(client, identity);
    await witnessUnlogged(client, identity, attempt);
    await resetEmptied(client, identity);
    // as recovery leaves it
    await client.query('TRUNCATE flexlift.unlogged');
    await client.query('UPDATE flexlift.part SET rows = 1, copied_at = now()');
    const run = runWith();
    const released = (change: { attempt?: number }) =>
      releaseStep({ ...step(run), differences: [], ...change }, run);
    await expect(released({ attempt })).rejects.toMatchObject({ code: 'CutoverRefused' });
    await expect(released({})).rejects.toMatchObject({
      code: 'TargetRewound',
      fields: { object: '"public"."t"' },
    });
  });
  expect((await readLedger(target))?.state).toBe('open');
});

it('a late release of a cutover that was called off is refused', async () => {
  const { target, identity } = fixture;
  await withConnection(testEndpoint(TARGET, 'target'), fixture.database, signal, async (client) => {
    const attempt = await beginCutover(client, identity);
    await callOffCutover(client, identity, attempt);
    const run = runWith();
    const released = releaseStep({ ...step(run), differences: [], attempt }, run);
    await expect(released).rejects.toMatchObject({ code: 'CutoverRefused' } satisfies Partial<FlexliftError>);
  });
  expect((await readLedger(target))?.state).toBe('open');
});
