import type { MigrationStatus } from '../../client';
import type { BenchServers } from '../support/bench-servers';
import { withSession } from '../support/sessions';
import { databaseContents, differences } from '../support/table-contents';
import { DATABASE } from './schema';

/** What is wrong at the end, a sentence each; none: all is well. */
export async function findFaults(servers: BenchServers, status: MigrationStatus): Promise<string[]> {
  const faults: string[] = [];
  if (status.state !== 'Succeeded') faults.push(`the migration ended as ${status.state}`);
  const left = status.databases.flatMap(({ sourceObjects = [] }) => sourceObjects);
  if (left.length > 0) faults.push(`left on the source: ${left.join(', ')}`);
  const source = await withSession(servers.source, DATABASE, databaseContents);
  const target = await withSession(servers.target, DATABASE, databaseContents);
  if (Object.keys(source).length === 0) faults.push('the source has no table');
  return [...faults, ...differences(source, target)];
}
