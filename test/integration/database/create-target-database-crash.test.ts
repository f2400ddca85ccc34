import { createTargetDatabase } from '../../../postgres/database';
import { createTestDatabase, dropTestDatabase, run } from '../../support/servers';
import { createArguments, createNamed, cutConnectionAt, ledgerOf, stagingExists } from './support';

const SOURCE = 14;
const TARGET = 17;

let database: string;

beforeAll(async () => {
  database = await createTestDatabase(SOURCE, 'create_crash');
  await createNamed(TARGET, database);
  await run(TARGET, database, 'CREATE TABLE old ()');
});

afterAll(async () => {
  await dropTestDatabase(SOURCE, database);
  await dropTestDatabase(TARGET, database);
});

describe.each(['before', 'after'] as const)('an attempt that dies %s a statement', (when) => {
  it('is taken up by the next, at whichever statement it was', async () => {
    let statements = 0;
    for (let n = 1; statements === 0; n++) {
      // each round has a migration of its own, which replaces the database of the round before
      const args = createArguments(SOURCE, TARGET, database, { overwrite: true });
      const fault = cutConnectionAt(n, when);
      const outcome = await createTargetDatabase(args)
        .finally(fault.restore)
        .then(
          () => 'made',
          () => 'died',
        );
      if (fault.sent() < n) statements = fault.sent();
      else expect(outcome).toBe('died');
      await expect(createTargetDatabase(args)).resolves.toEqual({ created: true });
      expect(await ledgerOf(TARGET, database)).toMatchObject({ migration_id: args.identity.migrationId });
      expect(await stagingExists(TARGET, args)).toBe(false);
    }
    // staging is dropped, created, its ledger begun and committed, the old database dropped, staging renamed
    expect(statements).toBeGreaterThanOrEqual(6);
  });
});
