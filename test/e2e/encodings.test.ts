import { itInAll } from '../support/all';
import { randomBytes } from 'node:crypto';
import type { MigrationRequest } from '../../contract';
import { Migrations } from '../support/migration';
import { clearSource, cutOver, onlineRequest, untilReplication } from '../support/online';
import { dropTestDatabase, withSession, type Major } from '../support/servers';
import { WorkerProcess } from '../support/worker-process';

const SOURCE = 15;
const TARGET = 17;

let migrations: Migrations;
let database: string;
let worker: WorkerProcess | undefined;

beforeAll(async () => {
  migrations = await Migrations.connect();
});
beforeEach(async () => {
  database = `encodings_${randomBytes(4).toString('hex')}`;
  await create(SOURCE, 'LATIN1');
  await create(TARGET, 'UTF8');
  await withSession(SOURCE, database, (client) =>
    client.query(`
      SET client_encoding = 'UTF8';
      CREATE TYPE "Größe" AS ENUM ('groß', 'klein');
      CREATE TABLE "Wörter" ("schlüssel" text PRIMARY KEY, t varchar(4), a text[], j jsonb, g "Größe", c "char");
      INSERT INTO "Wörter"
      SELECT 'Käse ' || n, 'äöüß', ARRAY['é', NULL], '{"ä": "ö"}', 'groß', 'x' FROM generate_series(1, 2000) n;
      CREATE TABLE keyless (t text); INSERT INTO keyless VALUES ('ñandú'), ('ÿ');
      CREATE UNLOGGED TABLE late (t text); INSERT INTO late VALUES ('après');
      ALTER TABLE "Wörter" ADD CHECK (t <> 'Öl') `),
  );
});
afterEach(async () => {
  await worker?.kill();
  await clearSource(SOURCE, database);
  await dropTestDatabase(SOURCE, database);
  await dropTestDatabase(TARGET, database);
});
afterAll(() => migrations.close());

const create = (major: Major, encoding: string) =>
  withSession(major, 'postgres', (client) =>
    client.query(
      `CREATE DATABASE ${database} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
    ),
  );

async function start(change: Partial<MigrationRequest>) {
  const request = onlineRequest(SOURCE, TARGET, database, change);
  const handle = await migrations.start(request);
  worker = WorkerProcess.start({ pool: request.pool });
  return handle;
}

/** In UTF-8, whatever the server has. */
async function texts(major: Major): Promise<unknown[]> {
  return await withSession(major, database, async (client) => {
    await client.query(`SET client_encoding = 'UTF8'`);
    const { rows } = await client.query<{ row: string }>(
      `SELECT w::text AS row FROM "Wörter" w UNION ALL SELECT t FROM keyless UNION ALL SELECT t FROM late`,
    );
    return rows.map(({ row }) => row).sort();
  });
}

describe('a LATIN1 database whose target stands there, empty, in UTF8', () => {
  it('is refused where rows are to be compared', async () => {
    const handle = await start({ mode: 'Offline' });
    expect(await handle.result()).toMatchObject({ state: 'ValidationFailed' });
  });

  it('is converted offline, not compared', async () => {
    const handle = await start({ mode: 'Offline', compare: false });
    expect(await handle.result()).toMatchObject({ state: 'SucceededUnverified' });
    expect(await texts(TARGET)).toEqual(await texts(SOURCE));
  });

  itInAll('is converted online, not compared', async () => {
    const handle = await start({ compare: false });
    await untilReplication(handle, 'ReadyForCutover');
    await withSession(SOURCE, database, (client) =>
      client.query(`
        SET client_encoding = 'UTF8';
        UPDATE "Wörter" SET t = 'ÄÖÜ', g = 'klein', a = a || 'ê'::text WHERE "schlüssel" LIKE 'Käse 1%';
        UPDATE "Wörter" SET "schlüssel" = 'Brühe' WHERE "schlüssel" = 'Käse 2';
        DELETE FROM "Wörter" WHERE "schlüssel" = 'Käse 3';
        UPDATE keyless SET t = t || 'ø';
        INSERT INTO late VALUES ('noël')`),
    );
    expect((await cutOver(handle)).cutover).toMatchObject({ state: 'Released' });
    expect(await handle.result()).toMatchObject({ state: 'SucceededUnverified' });
    expect(await texts(TARGET)).toEqual(await texts(SOURCE));
  });
});
