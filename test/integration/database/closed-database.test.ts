import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { quoteIdentifier } from '../../../postgres/connect';
import {
  applyDatabaseProperties,
  createTargetDatabase,
  openTargetDatabase,
  releaseTargetDatabase,
} from '../../../postgres/database';
import { createTestDatabase, dropTestDatabase, run, testAddress, type Major } from '../../support/servers';
import { createArguments, createNamed } from './support';

const SOURCE = 14;
const APPLICATION = `flx closed ${randomBytes(3).toString('hex')}`;

let database: string;

beforeEach(async () => {
  database = await createTestDatabase(SOURCE, 'closed "Ü.🐘');
});

afterEach(async () => {
  await dropTestDatabase(SOURCE, database);
});

describe.each([11, 17] as const)('a target database of PostgreSQL %i', (target) => {
  beforeAll(() => run(target, 'postgres', `CREATE ROLE ${quoteIdentifier(APPLICATION)} LOGIN`));
  afterEach(() => dropTestDatabase(target, database));
  afterAll(() => run(target, 'postgres', `DROP ROLE ${quoteIdentifier(APPLICATION)}`));

  it.each([{ noPrivileges: false }, { noPrivileges: true }])(
    'lets no application in before its release, %p',
    async ({ noPrivileges }) => {
      const args = createArguments(SOURCE, target, database);
      await createTargetDatabase(args);
      await expect(connect(target)).rejects.toThrow('permission denied for database');
      await applyDatabaseProperties(args);
      await expect(connect(target)).rejects.toThrow('permission denied for database');
      await releaseTargetDatabase({
        ...args,
        noOwner: false,
        noPrivileges,
        report: {},
        lastCheck: () => Promise.resolve(),
      });
      await connect(target);
    },
  );

  it('lets them in where the migration is cancelled, and not where another attempt goes on', async () => {
    const args = createArguments(SOURCE, target, database);
    await createTargetDatabase(args);
    await openTargetDatabase(args);
    await connect(target);
    await openTargetDatabase(args);
    const later = { ...args, identity: { ...args.identity, generation: 2 } };
    await createTargetDatabase(later);
    await expect(connect(target)).rejects.toThrow('permission denied for database');
  });

  it('that stood there already is left as it is', async () => {
    await createNamed(target, database);
    const args = createArguments(SOURCE, target, database);
    await createTargetDatabase(args);
    await connect(target);
    await openTargetDatabase(args);
    await connect(target);
  });
});

async function connect(major: Major): Promise<void> {
  const { host, port } = testAddress(major);
  const client = new Client({ host, port, database, user: APPLICATION });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } finally {
    await client.end().catch(() => undefined);
  }
}
