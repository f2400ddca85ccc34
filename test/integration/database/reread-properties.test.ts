import type { FenceMode } from '../../../contract';
import { databaseProperties } from '../../../postgres/catalog';
import { quoteIdentifier } from '../../../postgres/connect';
import {
  applyDatabaseProperties,
  changedProperties,
  createTargetDatabase,
  releaseTargetDatabase,
  rereadDatabaseProperties,
  type CreateTargetDatabase,
} from '../../../postgres/database';
import { liftFence, propertiesBehindFence, raiseFence } from '../../../postgres/fence';
import { beginCutover, callOffCutover } from '../../../postgres/ledger';
import { createTestDatabase, dropTestDatabase, run, withSession } from '../../support/servers';
import { createArguments } from './support';

const SOURCE = 14;
const TARGET = 17;
const ownership = { noOwner: false, noPrivileges: false };

let database: string;
let args: CreateTargetDatabase;

beforeEach(async () => {
  database = await createTestDatabase(SOURCE, 'reread "Ü.🐘');
  args = createArguments(SOURCE, TARGET, database);
  await createTargetDatabase(args);
  await applyDatabaseProperties(args);
  await run(
    TARGET,
    database,
    `INSERT INTO flexlift.stream (slot, system_identifier, lsn, replica_role) VALUES ('s', '1', '0/1', true)`,
  );
});

afterEach(async () => {
  await withSession(SOURCE, database, (client) =>
    liftFence(client, { migrationId: args.identity.migrationId }),
  );
  await dropTestDatabase(SOURCE, database);
  await dropTestDatabase(TARGET, database);
});

async function alter(change: string): Promise<void> {
  // from outside of its fence
  await run(SOURCE, 'postgres', `ALTER DATABASE ${quoteIdentifier(database)} ${change}`);
}

async function begin(): Promise<number> {
  return await withSession(TARGET, database, (target) => beginCutover(target, args.identity));
}

async function reread(attempt: number, fence: FenceMode = 'revoke-connect'): Promise<void> {
  await withSession(SOURCE, database, (source) =>
    withSession(TARGET, database, (target) =>
      rereadDatabaseProperties({
        ...ownership,
        target,
        identity: args.identity,
        attempt,
        read: (known) => propertiesBehindFence(source, known, fence),
      }),
    ),
  );
}

async function changed(fence: FenceMode = 'revoke-connect'): Promise<string[]> {
  return await withSession(SOURCE, database, (source) =>
    withSession(TARGET, database, (target) =>
      changedProperties({
        ...ownership,
        target,
        read: (known) => propertiesBehindFence(source, known, fence),
      }),
    ),
  );
}

async function raise(): Promise<void> {
  await raiseFence({
    source: args.source,
    database,
    migrationId: args.identity.migrationId,
    attempt: 1,
    mode: 'revoke-connect',
    unseen: [],
    confirm: () => Promise.resolve(),
    signal: args.signal,
    onProgress: () => undefined,
  });
}

async function released() {
  await releaseTargetDatabase({
    ...args,
    ...ownership,
    report: {},
    lastCheck: () => Promise.resolve(),
  });
  return await withSession(TARGET, database, databaseProperties);
}

it('what an attempt gave the target goes where the source has it no more at the next', async () => {
  await alter(`SET work_mem = '7MB'`);
  await alter('CONNECTION LIMIT 5');
  const first = await begin();
  await reread(first);
  await reread(first);
  await withSession(TARGET, database, (target) => callOffCutover(target, args.identity, first));
  await expect(reread(first)).rejects.toMatchObject({ code: 'CutoverRefused' });

  await alter('RESET work_mem');
  await alter('CONNECTION LIMIT 6');
  await reread(await begin());
  expect(await released()).toMatchObject({ settings: [], connectionLimit: 6 });
});

it('a setting that the target has and refuses today is taken away', async () => {
  await alter(`SET default_text_search_config = 'own'`);
  await run(TARGET, database, 'CREATE TEXT SEARCH CONFIGURATION public.own (COPY = simple)');
  await reread(await begin());
  expect(await withSession(TARGET, database, databaseProperties)).toMatchObject({
    settings: [{ name: 'default_text_search_config' }],
  });
  await run(TARGET, database, 'DROP TEXT SEARCH CONFIGURATION public.own');
  await reread(await begin());
  expect(await released()).toMatchObject({ settings: [] });
});

it('a fence that stands is not taken for what the source is like, all else is', async () => {
  const before = await withSession(SOURCE, database, databaseProperties);
  const attempt = await begin();
  await raise();
  expect(await changed()).toEqual([]);
  await alter(`SET work_mem = '7MB'`);
  expect(await changed()).toEqual(['settings']);
  await reread(attempt);
  expect(await changed()).toEqual([]);
  expect(await released()).toMatchObject({
    settings: [{ name: 'work_mem', value: '7MB' }],
    grants: before.grants,
  });
});

it('nor is what a person keeps writers out with', async () => {
  const name = quoteIdentifier(database);
  const before = await withSession(SOURCE, database, databaseProperties);
  await alter('SET default_transaction_read_only = on');
  await alter('CONNECTION LIMIT 0');
  await run(SOURCE, 'postgres', `REVOKE CONNECT, TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
  await reread(await begin(), 'none');
  expect(await changed('none')).toEqual([]);
  expect(await released()).toMatchObject({
    settings: [],
    connectionLimit: -1,
    grants: before.grants.filter(
      ({ grantee, privilege }) => grantee !== undefined || privilege !== 'TEMPORARY',
    ),
  });
});

it('a role that is absent on the target is named before the fence', async () => {
  const role = `absent_${args.identity.migrationId}`;
  await run(SOURCE, database, `CREATE ROLE ${role}`);
  try {
    await alter(`OWNER TO ${role}`);
    const attempt = await begin();
    await expect(reread(attempt)).rejects.toMatchObject({ code: 'CutoverRefused' });
    await alter('OWNER TO postgres');
    await reread(attempt);
  } finally {
    await run(SOURCE, database, `DROP ROLE ${role}`);
  }
});
