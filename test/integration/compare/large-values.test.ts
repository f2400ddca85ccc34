import { checksumTable } from '../../../postgres/compare';
import { withConnection } from '../../../postgres/connect';
import { itInAll } from '../../support/all';
import { createTestDatabase, dropTestDatabase, testEndpoint } from '../../support/servers';

const { signal } = new AbortController();

itInAll(
  'a row whose text, and one of whose values in hex, would be longer than the 1 GB a value can have',
  async () => {
    const database = await createTestDatabase(15, 'cmp_large');
    try {
      await withConnection(testEndpoint(15, 'target'), database, signal, async (client) => {
        // one after the other, for no row is written that is longer than 1 GB before its values are compressed
        await client.query(`
        CREATE TABLE public.large (a text, b bytea);
        INSERT INTO public.large VALUES (pg_catalog.repeat('x', 600000000));
        UPDATE public.large SET b = pg_catalog.convert_to(a, 'UTF8')`);
        const large = await checksumTable({ client, table: { schema: 'public', name: 'large' }, signal });
        expect(large.rows).toBe('1');
      });
    } finally {
      await dropTestDatabase(15, database);
    }
  },
);
