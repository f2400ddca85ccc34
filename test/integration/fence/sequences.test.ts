import type { Client } from 'pg';
import {
  compareSequences,
  copySequences,
  readSequences,
  refreshMaterializedViews,
} from '../../../postgres/compare';
import { withConnection } from '../../../postgres/connect';
import { liftFence } from '../../../postgres/fence';
import { beginCutover, callOffCutover, createLedger } from '../../../postgres/ledger';
import { createTestDatabase, dropTestDatabase, run, testEndpoint, withSession } from '../../support/servers';
import { FencedSource, NEVER } from './support';

const MAXIMUM = 2n ** 63n - 1n;

/** By name, what follows CREATE SEQUENCE. */
const STANDALONE: Record<string, string> = {
  plain: '',
  descending: 'INCREMENT -3 MAXVALUE 100 MINVALUE -1000 START 100',
  cycling: 'MAXVALUE 7 CYCLE',
  cached: 'CACHE 50',
  'the "odd" one 🐘': 'AS smallint MINVALUE -5 INCREMENT 5',
  ending: `START ${MAXIMUM - 400n} MINVALUE ${MAXIMUM - 500n}`,
  ended: `START ${MAXIMUM - 1n} MINVALUE ${MAXIMUM - 5n}`,
  untouched: 'START 77',
};
const OWNED = ['owned_id_seq', 'owned_other_seq'];

const SCHEMA = [
  'CREATE TABLE owned (id serial, other bigint GENERATED ALWAYS AS IDENTITY (INCREMENT 10), v int)',
  ...Object.entries(STANDALONE).map(([name, options]) => `CREATE SEQUENCE ${quoted(name)} ${options}`),
  'CREATE MATERIALIZED VIEW totals AS SELECT count(*)::int AS n FROM owned WITH NO DATA',
];

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const migrationTarget = { major: 18 as const, database: '' };
let source: FencedSource;
let identity: { migrationId: string; generation: number };

beforeEach(async () => {
  source = await FencedSource.create(14);
  identity = { migrationId: source.migrationId, generation: 1 };
  migrationTarget.database = await createTestDatabase(18, 'flx_fence_target');
  await source.admin(
    'DROP TABLE t',
    ...SCHEMA,
    'REFRESH MATERIALIZED VIEW totals',
    'GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC',
  );
  await source.admin('GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC');
  await run(18, migrationTarget.database, ...SCHEMA);
  await onTarget(async (target) => {
    await createLedger(target, identity, { databaseCreated: true });
    await target.query(
      `INSERT INTO flexlift.stream (slot, system_identifier, lsn, replica_role) VALUES ('s', '1', '0/1', true)`,
    );
  });
});

afterEach(async () => {
  await dropTestDatabase(18, migrationTarget.database);
  await source.drop();
});

function onTarget<T>(work: (target: Client) => Promise<T>): Promise<T> {
  return withConnection(testEndpoint(18, 'target'), migrationTarget.database, NEVER, work);
}

function onBoth<T>(work: (source: Client, target: Client) => Promise<T>): Promise<T> {
  return withConnection(source.endpoint, source.database, NEVER, (client) =>
    onTarget((target) => work(client, target)),
  );
}

/** Values drawn in one session; undefined where the sequence is at its end. */
async function draw(client: Client, name: string, count: number): Promise<(bigint | undefined)[]> {
  const values: (bigint | undefined)[] = [];
  for (let n = 0; n < count; n++) {
    try {
      const { rows } = await client.query<{ value: string }>('SELECT nextval($1::regclass) AS value', [
        `public.${quoted(name)}`,
      ]);
      values.push(BigInt(rows[0]?.value ?? ''));
    } catch (error) {
      expect((error as { code?: string }).code).toBe('2200H');
      values.push(undefined);
    }
  }
  return values;
}

/** Two sessions at once, each with a cache of its own. */
async function drawOnSource(counts: Record<string, number>): Promise<Map<string, (bigint | undefined)[]>> {
  const drawn = new Map<string, (bigint | undefined)[]>();
  await source.asOwner((first) =>
    source.asOwner(async (second) => {
      for (const [name, count] of Object.entries(counts)) {
        drawn.set(name, [...(await draw(first, name, count)), ...(await draw(second, name, count))]);
      }
    }),
  );
  return drawn;
}

test('every kind of sequence goes on behind the last value of the source, at each cutover anew', async () => {
  const counts = {
    plain: 3,
    descending: 2,
    cached: 4,
    'the "odd" one 🐘': 2,
    ending: 20,
    owned_id_seq: 3,
    owned_other_seq: 2,
  };
  await drawOnSource(counts);
  // the first try: fenced, brought over, called off
  await source.raise();
  const first = await onTarget((target) => beginCutover(target, identity));
  await onBoth((client, target) =>
    copySequences({ source: client, target, identity, attempt: first, signal: NEVER }),
  );
  await onTarget((target) => callOffCutover(target, identity, first));
  await withConnection(source.endpoint, source.database, NEVER, (client) => liftFence(client));

  const drawn = await drawOnSource({ ...counts, cycling: 5, ended: 2 });
  await source.raise();
  await expect(source.asOwner((client) => client.query(`SELECT nextval('plain')`))).rejects.toThrow(
    'read-only',
  );
  const attempt = await onTarget((target) => beginCutover(target, identity));
  await onBoth(async (client, target) => {
    const request = { source: client, target, identity, signal: NEVER };
    expect(await copySequences({ ...request, attempt })).toBe(Object.keys(STANDALONE).length + OWNED.length);
    const compare = async () =>
      compareSequences(await readSequences(client, NEVER), await readSequences(target, NEVER));
    expect(await compare()).toEqual([]);
    expect(await copySequences({ ...request, attempt })).toBe(0);
    await expect(copySequences({ ...request, attempt: first })).rejects.toMatchObject({
      code: 'CutoverRefused',
    });
    expect(await compare()).toEqual([]);
  });

  await withSession(18, migrationTarget.database, async (target) => {
    for (const [name, before] of drawn) {
      const after = await draw(target, name, 3);
      if (name === 'ended') expect(after).toEqual([undefined, undefined, undefined]);
      else if (name === 'cycling') expect(after).toEqual([4n, 5n, 6n]);
      else {
        const all = [...before, ...after];
        expect(new Set(all).size).toBe(all.length);
        expect(after).toEqual(
          [...after].sort((a = 0n, b = 0n) => Number(a - b) * (name === 'descending' ? -1 : 1)),
        );
      }
    }
    expect(await draw(target, 'untouched', 1)).toEqual([77n]);
    const { rows } = await target.query('INSERT INTO public.owned (v) VALUES (1) RETURNING id, other');
    expect(rows).toEqual([{ id: 16, other: '111' }]);
  });
});

test('materialized views are filled by each cutover anew, and by a late attempt of an earlier one never', async () => {
  const total = () =>
    onTarget(async (target) => {
      const { rows } = await target.query<{ n: number }>('SELECT n FROM public.totals');
      return rows[0]?.n;
    });
  const refresh = (attempt: number | undefined) =>
    onBoth((client, target) =>
      refreshMaterializedViews({ source: client, target, identity, attempt, signal: NEVER }),
    );
  const first = await onTarget((target) => beginCutover(target, identity));
  expect(await refresh(first)).toMatchObject({ refreshed: 1 });
  await onTarget((target) => target.query('INSERT INTO public.owned (v) VALUES (1)'));
  expect(await refresh(first)).toMatchObject({ refreshed: 0 });
  expect(await total()).toBe(0);

  const second = await onTarget((target) => beginCutover(target, identity));
  expect(await refresh(second)).toMatchObject({ refreshed: 1 });
  expect(await total()).toBe(1);
  await onTarget((target) =>
    target.query(`INSERT INTO public.owned (v) VALUES (1); DELETE FROM flexlift.step`),
  );
  await expect(refresh(first)).rejects.toMatchObject({ code: 'CutoverRefused' });
  expect(await total()).toBe(1);
});
