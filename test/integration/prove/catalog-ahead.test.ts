import type { Client } from 'pg';
import { withConnection } from '../../../postgres/connect';
import { raiseFence } from '../../../postgres/fence';
import { beginCutover, callOffCutover } from '../../../postgres/ledger';
import {
  catalogAhead,
  hasCatalogMoved,
  noteComparedCatalog,
  readCatalogAhead,
  sourceCatalog,
} from '../../../postgres/prove';
import { presentCatalog } from '../../../postgres/prove/drift/drift-since';
import { testEndpoint } from '../../support/servers';
import { ReplicationFixture } from '../replicate/applier-fixture';

const { signal } = new AbortController();

describe.each([
  [15, 17],
  [11, 18],
  [14, 11],
] as const)('the catalog that is read before the fence, %i to %i', (source, target) => {
  let fixture: ReplicationFixture;

  beforeEach(async () => {
    fixture = await ReplicationFixture.create(
      source,
      target,
      `CREATE TABLE public.t (id int PRIMARY KEY, v int); CREATE SEQUENCE public.numbers`,
    );
  });
  afterEach(() => fixture.drop());

  const both = async <T>(work: (source: Client, target: Client) => Promise<T>): Promise<T> =>
    await withConnection(testEndpoint(source, 'source'), fixture.database, signal, (onSource) =>
      withConnection(testEndpoint(target, 'target'), fixture.database, signal, (onTarget) =>
        work(onSource, onTarget),
      ),
    );

  const readAhead = () =>
    both(async (onSource, onTarget) => {
      const { identity } = fixture;
      const attempt = await beginCutover(onTarget, identity);
      await readCatalogAhead({ source: onSource, target: onTarget, identity, attempt });
      return attempt;
    });

  it('is not read again behind it', async () => {
    const attempt = await readAhead();
    const { migrationId } = fixture.identity;
    // as one of the migration's own it is not ended
    await fixture.source.query(`SET application_name = 'flexlift:${migrationId}:fixture'`);
    await raiseFence({
      source: testEndpoint(source, 'source', `flexlift:${migrationId}:fence:test:1`),
      database: fixture.database,
      migrationId,
      attempt: 1,
      mode: 'revoke-connect',
      unseen: [],
      confirm: () => Promise.resolve(),
      signal,
      onProgress: () => undefined,
    });
    await both(async (onSource, onTarget) => {
      const query = jest.spyOn(onSource, 'query');
      const { catalog } = await sourceCatalog(onSource, await catalogAhead(onTarget, attempt));
      expect(query.mock.calls.length).toBeLessThan(3);
      expect(catalog).toEqual(await presentCatalog(onSource));
      expect(catalog.objects.size).toBeGreaterThan(3);
    });
  });

  it.each([
    'ALTER TABLE public.t ADD added int',
    'ALTER SEQUENCE public.numbers INCREMENT 7',
    'GRANT SELECT ON public.t TO PUBLIC',
    'CREATE PUBLICATION another FOR TABLE public.t',
  ])('is read again after: %s', async (change) => {
    const attempt = await readAhead();
    await fixture.source.query(change);
    await both(async (onSource, onTarget) => {
      const ahead = await catalogAhead(onTarget, attempt);
      const { catalog } = await sourceCatalog(onSource, ahead);
      expect(catalog).toEqual(await presentCatalog(onSource));
      expect([...catalog.objects]).not.toEqual(ahead?.objects);
    });
  });

  it('tells whether it has moved since it was compared', async () => {
    const attempt = await readAhead();
    const { identity } = fixture;
    await both(async (onSource, onTarget) => {
      const moved = () => hasCatalogMoved(onSource, onTarget, attempt);
      await fixture.source.query('CREATE TABLE public.before_it ()');
      expect(await moved()).toBe(false);
      const { mark } = await sourceCatalog(onSource, await catalogAhead(onTarget, attempt));
      await noteComparedCatalog({ target: onTarget, identity, attempt, mark });
      await fixture.source.query(`INSERT INTO public.t VALUES (4711); ANALYZE public.t`);
      expect(await moved()).toBe(false);
      await fixture.source.query('CREATE TABLE public.behind_it ()');
      expect(await moved()).toBe(true);
    });
  });

  it('belongs to its attempt', async () => {
    const first = await readAhead();
    const second = await readAhead();
    await both(async (onSource, onTarget) => {
      expect(await catalogAhead(onTarget, first)).toBeUndefined();
      expect(await catalogAhead(onTarget, second)).toBeDefined();
      await callOffCutover(onTarget, fixture.identity, second);
      const { identity } = fixture;
      const late = readCatalogAhead({ source: onSource, target: onTarget, identity, attempt: second });
      await expect(late).rejects.toMatchObject({ code: 'CutoverRefused' });
    });
  });
});
