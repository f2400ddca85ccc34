import { FlexliftError } from '../../../contract';
import { quoteIdentifier } from '../../../postgres/connect';
import { liftFenceStatement, readFence } from '../../../postgres/fence';
import { FencedSource, refusal } from './support';

let source: FencedSource;
afterEach(() => source.drop());

// settings of a role are the whole server's, and from 16 on in the way of whoever may not alter it: no other test of the
// fence uses 18
describe.each([11, 14, 18] as const)('on %i', (major) => {
  test.each(['read-only', 'revoke-connect'] as const)(
    '%s is raised and lifted without a trace',
    async (mode) => {
      source = await FencedSource.create(major, `flx_fence "it's" 🐘`);
      const database = quoteIdentifier(source.database);
      const everywhere = await source.createRole(`w 'everywhere' 🚚`);
      const here = await source.createRole('w "here"');
      const both = await source.createRole('w both');
      const readOnly = await source.createRole('w reads');
      const [quotedEverywhere, quotedHere, quotedBoth] = [everywhere, here, both].map(quoteIdentifier);
      await source.admin(
        `ALTER DATABASE ${database} SET search_path = "it's", public`,
        `ALTER DATABASE ${database} SET default_transaction_read_only = 'false'`,
        `ALTER DATABASE ${database} SET application_name = 'the ''app'' "x" = \\'`,
        `ALTER ROLE ${quotedEverywhere} SET default_transaction_read_only = off`,
        `ALTER ROLE ${quotedHere} IN DATABASE ${database} SET application_name = 'it''s'`,
        `ALTER ROLE ${quotedHere} IN DATABASE ${database} SET default_transaction_read_only = 'no'`,
        `ALTER ROLE ${quotedBoth} SET default_transaction_read_only = off`,
        `ALTER ROLE ${quotedBoth} IN DATABASE ${database} SET default_transaction_read_only = on`,
        `GRANT CONNECT ON DATABASE ${database} TO ${quotedHere}, ${quotedBoth}`,
        `REVOKE TEMPORARY ON DATABASE ${database} FROM PUBLIC`,
      );
      const before = await source.footprint();
      const { raisedAt } = await source.raise({ mode });
      expect(Math.abs(Date.now() - Date.parse(raisedAt))).toBeLessThan(20_000);
      expect(await source.isReadOnly(source.owner)).toBe(true);
      for (const role of [everywhere, here, both, readOnly]) {
        if (mode === 'read-only') expect(await source.isReadOnly(role)).toBe(true);
        else await expect(source.isReadOnly(role)).rejects.toThrow('permission denied for database');
      }
      const kept = await source.asOwner((client) => readFence(client));
      expect(kept).toMatchObject({ mode, raisedAt, database: 'false' });
      expect(kept?.roles.map(({ value }) => value).sort()).toEqual(['no', null]);

      // a second call keeps what the first one remembers
      expect((await source.raise({ mode })).raisedAt).toBe(raisedAt);
      expect(await source.asOwner((client) => readFence(client, source.migrationId))).toEqual(kept);
      expect(await source.footprint()).not.toEqual(before);
      expect(await source.lift({ migrationId: '0123456789ab' })).toBe(false);
      expect(await source.lift()).toBe(true);
      expect(await source.footprint()).toEqual(before);
      expect(await source.lift()).toBe(false);
    },
  );
});

test('what is late of an earlier attempt lifts no fence of a later one', async () => {
  source = await FencedSource.create(15);
  const footprint = await source.footprint();
  await source.raise({ attempt: 1 });
  // the same fence stands for the next one
  await source.raise({ attempt: 2 });
  expect(await source.lift({ attempt: 1 })).toBe(false);
  const over = new FlexliftError({ code: 'CutoverRefused', sentence: 'It is over.', remedy: 'None.' });
  await expect(source.raise({ attempt: 1, confirm: () => Promise.reject(over) })).rejects.toBe(over);
  expect(await source.isReadOnly(source.owner)).toBe(true);

  expect(await source.lift({ attempt: 2 })).toBe(true);
  expect(await source.footprint()).toEqual(footprint);
  await source.raise({ attempt: 2 });
  // whoever names none lifts whatever stands
  expect(await source.lift()).toBe(true);
  expect(await source.footprint()).toEqual(footprint);
});

test('an attempt that is frozen in the middle of it keeps nobody from lifting it', async () => {
  source = await FencedSource.create(15);
  await source.raise({ mode: 'read-only' });
  const frozen = await source.connect(source.owner, {
    applicationName: `flexlift:${source.migrationId}:raiseFence:0123456789:0`,
  });
  await frozen.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('flexlift fence'))`);
  expect(await source.lift()).toBe(true);
  await expect(frozen.query('SELECT 1')).rejects.toThrow();
});

test('a database of which nothing was set has nothing set afterwards, and a person can lift the fence', async () => {
  source = await FencedSource.create(18);
  const before = await source.footprint();
  await source.raise({ mode: 'revoke-connect' });
  await source.asOwner((client) => client.query(`BEGIN READ WRITE; ${liftFenceStatement()}; COMMIT`));
  expect(await source.footprint()).toEqual(before);
  await source.raise({ mode: 'none' });
  expect(await source.footprint()).toEqual(before);
});

test('rights that were granted on by others are restored as theirs', async () => {
  source = await FencedSource.create(17);
  const chief = await source.createRole('a chief');
  const clerk = await source.createRole('a clerk');
  const database = quoteIdentifier(source.database);
  await source.admin(
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${database} TO ${quoteIdentifier(chief)} WITH GRANT OPTION`,
    `SET ROLE ${quoteIdentifier(chief)}`,
    `GRANT CONNECT ON DATABASE ${database} TO ${quoteIdentifier(clerk)}`,
  );
  const before = await source.footprint();
  const { message } = await refusal(source.raise({ mode: 'revoke-connect' }));
  expect(message).toContain(`Role ${JSON.stringify(chief)} granted CONNECT`);
  expect(await source.footprint()).toEqual(before);

  await source.asOwner((client) =>
    client.query(`GRANT ${quoteIdentifier(chief)} TO ${quoteIdentifier(source.owner)}`),
  );
  await source.raise({ mode: 'revoke-connect' });
  await expect(source.connect(clerk)).rejects.toThrow('permission denied');
  await source.lift();
  expect(await source.footprint()).toEqual(before);
});

test('a call that is cut off leaves the fence, and the next one goes on with what that remembers', async () => {
  source = await FencedSource.create(15);
  await source.admin(
    `ALTER DATABASE ${quoteIdentifier(source.database)} SET default_transaction_read_only = 'off'`,
  );
  const before = await source.footprint();
  const root = await source.connect('postgres');
  const cut = new AbortController();
  const first = source.raise({ signal: cut.signal, onProgress: () => cut.abort(new Error('cut off')) });
  await expect(first).rejects.toThrow('cut off');
  const kept = await source.asOwner((client) => readFence(client));
  expect(kept?.database).toBe('off');
  await root.end();
  expect((await source.raise()).raisedAt).toBe(kept?.raisedAt);
  expect(await source.isReadOnly('postgres')).toBe(true);
  expect(await source.lift()).toBe(true);
  expect(await source.footprint()).toEqual(before);
});
