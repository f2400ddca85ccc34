import type { MigrationRequest } from '../../../contract';
import { fenceName } from '../../../postgres/fence';
import { createLedger } from '../../../postgres/ledger';
import { withSession } from '../../support/servers';
import { createNamed, newMigrationId } from '../database/support';
import { FencedSource } from '../fence/support';
import { Databases, of, runValidation } from './support';

const databases = new Databases();
let source: FencedSource;

beforeEach(async () => {
  source = await FencedSource.create(14);
  databases.adopt(17, source.database);
});
afterEach(() => source.drop());
afterAll(() => databases.drop());

async function verdict(change: Partial<MigrationRequest>): Promise<string> {
  const validation = await runValidation({ source: 14, target: 17, databases: [source.database], change });
  const [finding] = of(validation, 'source-fence');
  return `${finding?.state}: ${finding?.message} ${finding?.remedy ?? ''}`;
}

it.each(['read-only', 'revoke-connect'] as const)(
  'a fence (%s) of another migration fails, and none succeeds',
  async (mode) => {
    expect(await verdict({})).toContain('Succeeded');
    await source.raise({ mode });
    for (const change of [{ mode: 'Offline' }, { mode: 'Online' }] as const) {
      const found = await verdict(change);
      expect(found).toContain(`Failed: An earlier online migration has fenced this database: `);
      expect(found).toContain(fenceName(source.migrationId));
      expect(found).toMatch(/flexlift unfence NAME .*flexlift cleanup --source/);
    }
    await source.lift();
    expect(await verdict({})).toContain('Succeeded');
  },
);

it("the migration's own passes only where its next run lifts it", async () => {
  await source.raise();
  const { migrationId } = source;
  const own = { migrationId, generation: 2, mode: 'Online' } as const;
  expect(await verdict(own)).toContain('Failed');
  await createNamed(17, source.database);
  const ledgerOf = (id: string) =>
    withSession(17, source.database, async (client) => {
      await client.query('DROP SCHEMA IF EXISTS flexlift CASCADE');
      await createLedger(client, { migrationId: id, generation: 1 }, { databaseCreated: true });
    });
  await ledgerOf(newMigrationId());
  expect(await verdict(own)).toContain('Failed');
  await ledgerOf(migrationId);
  expect(await verdict(own)).toContain('Succeeded');
  expect(await verdict({ ...own, mode: 'Offline' })).toMatch(/^Failed.*flexlift unfence "test"/);
  expect(await verdict({ ...own, overwrite: true })).toContain('Failed');
});
