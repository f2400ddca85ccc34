import { randomBytes } from 'node:crypto';
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type Finding, type MigrationRequest } from '../../../contract';
import type { Endpoint } from '../../../postgres/connect';
import { validate, type FindPgDump, type Validation } from '../../../postgres/validate';
import {
  createTestDatabase,
  dropTestDatabase,
  run,
  testAddress,
  testEndpoint,
  type Major,
} from '../../support/servers';

export interface Scenario {
  source: Major;
  target: Major;
  databases?: string[];
  sourceUser?: string;
  targetUser?: string;
  change?: Partial<MigrationRequest>;
  sourceEndpoint?: Partial<Endpoint>;
  sourceAddress?: Partial<Endpoint['address']>;
  targetAddress?: Partial<Endpoint['address']>;
  findPgDump?: FindPgDump;
}

export async function runValidation(scenario: Scenario): Promise<Validation> {
  const { source, target, databases, sourceUser = 'postgres', targetUser = 'postgres' } = scenario;
  const sourceAddress = { ...testAddress(source), user: sourceUser, ...scenario.sourceAddress };
  const targetAddress = { ...testAddress(target), user: targetUser, ...scenario.targetAddress };
  return await validate({
    request: {
      version: 1,
      migrationId: randomBytes(6).toString('hex'),
      generation: 1,
      name: 'test',
      mode: 'Offline',
      option: 'Validate',
      source: sourceAddress,
      target: targetAddress,
      databases,
      overwrite: false,
      noOwner: false,
      noPrivileges: false,
      compare: true,
      onCancel: 'keep-target',
      keylessTables: 'append',
      limits: { ...DEFAULT_LIMITS, databasesAtOnce: 1, copiesAtOnce: 1, indexesAtOnce: 1 },
      timeouts: { ...DEFAULT_TIMEOUTS, validation: 2_000, connect: 500, retryInitial: 100 },
      searchAttributes: false,
      pool: 'default',
      ...scenario.change,
    },
    source: { ...testEndpoint(source, 'source'), address: sourceAddress, ...scenario.sourceEndpoint },
    target: { ...testEndpoint(target, 'target'), address: targetAddress },
    findPgDump: scenario.findPgDump ?? (() => Promise.resolve({})),
    signal: new AbortController().signal,
  });
}

/** What one rule found; at least one finding. */
export function of({ findings }: Validation, rule: string): Finding[] {
  const found = findings.filter((finding) => finding.rule === rule);
  if (found.length === 0) throw new Error(`rule ${rule} found nothing: ${JSON.stringify(findings)}`);
  return found;
}

/** All findings that did not succeed, one line each. */
export function complaints({ findings }: Validation): string[] {
  return findings
    .filter((finding) => finding.state !== 'Succeeded')
    .map(({ rule, state, message, remedy }) => `${state} ${rule}: ${message} ${remedy}`);
}

/** Databases of one test file, and the scenarios of migrating them. */
export class Databases {
  private readonly made: [Major, string][] = [];

  async create(major: Major, options = ''): Promise<string> {
    const database = await createTestDatabase(major, 'validate', options);
    this.made.push([major, database]);
    return database;
  }

  /** Dropped at the end as well, whoever creates it. */
  adopt(major: Major, database: string): void {
    this.made.push([major, database]);
  }

  /** A new database on the source with these contents, and the scenario of migrating it. */
  async scenario(
    source: Major,
    target: Major,
    ...statements: string[]
  ): Promise<Scenario & { database: string }> {
    const database = await this.create(source);
    this.adopt(target, database);
    await run(source, database, ...statements);
    return { source, target, databases: [database], database };
  }

  async drop(): Promise<void> {
    for (const [major, database] of this.made) await dropTestDatabase(major, database);
  }
}
