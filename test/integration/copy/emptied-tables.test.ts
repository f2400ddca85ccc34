import { checksumTable } from '../../../postgres/compare';
import {
  copyLateRows,
  refuseEmptied,
  refuseEmptiedSince,
  resetEmptied,
  witnessUnlogged,
} from '../../../postgres/copy';
import { releaseLedger } from '../../../postgres/ledger';
import { StandIn } from '../../support/stand-in';
import { copiedInAttempt } from './copied-in-attempt';
import { identity, never } from './fixture';
import { OnlinePair } from './online-fixture';

const TARGET = 17;
const EMPTIED = { code: 'CutoverRefused', fields: { side: 'target' } };
let target: StandIn;
let online: OnlinePair;

beforeEach(async () => {
  target = await StandIn.start(TARGET);
  online = await OnlinePair.create(15, TARGET);
});

afterEach(async () => {
  await online.drop();
  await target.remove();
});

async function crash(): Promise<void> {
  await target.server.kill();
  await target.server.start();
}

async function planned(schema: string): Promise<void> {
  await online.pair.both(schema);
  await online.pair.sql('source', 'INSERT INTO cache VALUES (1)');
  await online.plan({ cache: 'late' });
  await online.stream({ replicaRole: true, cutover: 1 });
}

const witness = (attempt: number) =>
  online.pair.session('target', (target) => witnessUnlogged(target, identity, attempt));

async function lateRows(attempt: number): Promise<string[]> {
  await online.pair.session('source', (source) =>
    online.pair.session('target', (target) =>
      copyLateRows({
        ...{ source, target, identity, attempt, checksumTable, predecessorPrefix: 'flexlift:nobody:' },
        ...{ noOwner: true, noPrivileges: true, signal: never },
      }),
    ),
  );
  return await copiedInAttempt(online.pair, attempt);
}

const lastCheck = (attempt: number) =>
  online.pair.session('target', (target) => refuseEmptiedSince(target, attempt));

test('a cutover whose target crashed behind its back is called off, and the next one is none the worse', async () => {
  await planned('CREATE UNLOGGED TABLE cache (id int)');
  expect(await lateRows(1)).toEqual(['"public"."cache"']);
  await witness(1);
  await lastCheck(1);
  await crash();
  await expect(lastCheck(1)).rejects.toMatchObject(EMPTIED);
  await expect(lateRows(1)).rejects.toMatchObject(EMPTIED);

  await online.pair.sql('target', 'UPDATE flexlift.stream SET cutover = 2');
  expect(await lateRows(2)).toEqual(['"public"."cache"']);
  await lastCheck(2);
  await online.pair.session('target', (target) => releaseLedger(target, identity, {}));
  const left = `SELECT relname AS name FROM pg_class WHERE relnamespace = 'flexlift'::regnamespace AND relkind = 'r'`;
  expect(await online.pair.sql('target', left)).toEqual([{ name: 'migration' }]);
});

test('a crash in mid-load does no harm to sequences, which are set after it', async () => {
  await planned('CREATE TABLE cache (id int); CREATE UNLOGGED SEQUENCE numbers');
  const resetAll = () => online.pair.session('target', (target) => resetEmptied(target, identity));
  await resetAll();
  await crash();
  await resetAll();
  await online.pair.session('target', (target) => refuseEmptied(target));
});

test('a crash does no harm where nothing is unlogged', async () => {
  await planned('CREATE TABLE cache (id int)');
  await witness(1);
  await crash();
  await witness(1);
  await lastCheck(1);
});

const offline = {
  plan: () => online.pair.session('target', (target) => resetEmptied(target, identity)),
  release: () => online.pair.session('target', refuseEmptied),
  left: async () => {
    const rows = await online.pair.sql<{ name: string }>(
      'target',
      `SELECT table_name AS name FROM flexlift.part JOIN flexlift.table_load USING (table_oid)
        WHERE copied_at IS NULL ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  },
};

test('what a crash emptied in the middle of an offline load is copied again, and nothing else', async () => {
  await planned('CREATE UNLOGGED TABLE cache (id int); CREATE TABLE kept (id int PRIMARY KEY)');
  await offline.plan();
  expect(await offline.left()).toEqual(['cache', 'kept']);
  await online.copyGroup(1);
  await offline.plan();
  expect(await offline.left()).toEqual([]);
  await crash();
  // as a part that was copied since the crash
  await online.pair.sql('target', 'INSERT INTO cache VALUES (2)');
  await offline.plan();
  expect(await offline.left()).toEqual(['cache']);
  expect(await online.pair.sql('target', 'SELECT * FROM cache')).toEqual([]);
  await online.copyGroup(1);
  await offline.plan();
  expect(await offline.left()).toEqual([]);
  await offline.release();
});

test('a release without a cutover names the table that a crash has emptied since it was copied', async () => {
  await planned('CREATE UNLOGGED TABLE cache (id int); CREATE UNLOGGED TABLE void (id int)');
  await offline.plan();
  await online.copyGroup(1);
  await offline.release();
  await crash();
  await expect(offline.release()).rejects.toMatchObject({
    code: 'TargetRewound',
    fields: { object: '"public"."cache"' },
  });
});

test('so it does of an unlogged sequence, and lets tables pass that were empty before', async () => {
  await planned('CREATE UNLOGGED TABLE void (id int); CREATE TABLE cache (id int)');
  await offline.plan();
  await online.copyGroup(1);
  await crash();
  await offline.release();
  await online.pair.sql('target', 'CREATE UNLOGGED SEQUENCE numbers');
  await expect(offline.release()).rejects.toMatchObject({
    code: 'TargetRewound',
    fields: { object: '"public"."numbers"' },
  });
});
