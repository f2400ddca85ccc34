import { quoteIdentifier, withConnection } from '../../../postgres/connect';
import { liftFence } from '../../../postgres/fence';
import { eventually } from '../../support/eventually';
import {
  createTestDatabase,
  dropTestDatabase,
  run,
  testAddress,
  testEndpoint,
  withSession,
} from '../../support/servers';
import { FencedSource, NEVER } from './support';

const MAJOR = 15;
const SLOT = 'flx_fence_subscription';
const SUBSCRIPTION = quoteIdentifier(`the "sub" it's 🐘`);

let source: FencedSource;
let publisher: string;

beforeEach(async () => {
  source = await FencedSource.create(MAJOR);
  publisher = await createTestDatabase(MAJOR, 'flx_fence_pub');
  const { host, port } = testAddress(MAJOR);
  await run(
    MAJOR,
    publisher,
    'CREATE TABLE t (id bigserial PRIMARY KEY, writer int)',
    'CREATE PUBLICATION p FOR TABLE t',
    `SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`,
  );
  await source.admin(
    `CREATE SUBSCRIPTION ${SUBSCRIPTION} CONNECTION 'host=${host} port=${port} dbname=${publisher} user=postgres'
       PUBLICATION p WITH (create_slot = false, slot_name = '${SLOT}', copy_data = false)`,
    `CREATE SUBSCRIPTION idle CONNECTION 'host=${host} port=${port} dbname=${publisher} user=postgres'
       PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false)`,
  );
});

afterEach(async () => {
  await source.admin(
    `ALTER SUBSCRIPTION ${SUBSCRIPTION} DISABLE`,
    `ALTER SUBSCRIPTION ${SUBSCRIPTION} SET (slot_name = NONE)`,
    `DROP SUBSCRIPTION ${SUBSCRIPTION}`,
    'DROP SUBSCRIPTION idle',
  );
  await eventually('a free slot', async () => {
    const free = await withSession(MAJOR, publisher, (client) =>
      client.query('SELECT FROM pg_replication_slots WHERE slot_name = $1 AND NOT active', [SLOT]),
    );
    return free.rowCount === 1;
  });
  await run(MAJOR, publisher, `SELECT pg_drop_replication_slot('${SLOT}')`);
  await dropTestDatabase(MAJOR, publisher);
  await source.drop();
});

const publish = (writer: number) => run(MAJOR, publisher, `INSERT INTO t (writer) VALUES (${writer})`);

const arrived = () =>
  withSession(MAJOR, source.database, async (client) => {
    const { rows } = await client.query<{ writer: number }>('SELECT writer FROM t ORDER BY id');
    return rows.map((row) => row.writer);
  });

test('a subscription that writes into the source rests behind the fence and goes on after it', async () => {
  await publish(1);
  await eventually('the first row', async () => (await arrived()).includes(1));
  const before = await source.footprint();

  // it is a superuser's
  await expect(source.raise()).rejects.toMatchObject({
    code: 'CutoverRefused',
    fields: { sentence: expect.stringContaining(`Subscription ${SUBSCRIPTION} writes`) as string },
  });
  expect(await source.footprint()).toEqual(before);

  const superuser = testEndpoint(MAJOR, 'source', source.endpoint.applicationName);
  await source.raise({ source: superuser });
  const workers = await withSession(MAJOR, source.database, (client) =>
    client.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'logical replication worker'`,
    ),
  );
  expect(workers.rowCount).toBe(0);
  await publish(2);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await arrived()).toEqual([1]);

  await withConnection(superuser, source.database, NEVER, (client) => liftFence(client));
  expect(await source.footprint()).toEqual(before);
  await eventually('the second row', async () => (await arrived()).includes(2));
  expect(await arrived()).toEqual([1, 2]);
});
