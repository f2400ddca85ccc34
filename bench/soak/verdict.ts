import type { Client } from 'pg';
import type { MigrationStatus } from '../../client';
import type { BenchServers } from '../support/bench-servers';
import { withSession } from '../support/sessions';
import { differences, tableContents } from '../support/table-contents';
import { DATABASE } from './schema';

/** What is wrong at the end, a sentence each; none: all is well. */
export async function findFaults(servers: BenchServers, status: MigrationStatus): Promise<string[]> {
  const faults: string[] = [];
  if (status.state !== 'Succeeded') faults.push(`the migration ended as ${status.state}`);
  const left = status.databases.flatMap(({ sourceObjects = [] }) => sourceObjects);
  if (left.length > 0) faults.push(`left on the source: ${left.join(', ')}`);
  const source = await withSession(servers.source, DATABASE, contents);
  const target = await withSession(servers.target, DATABASE, contents);
  if (Object.keys(source).length === 0) faults.push('the source has no table');
  return [...faults, ...differences(source, target)];
}

async function contents(client: Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; last: string | null }>(
    `SELECT format('%I.%I', schemaname, sequencename) AS name, last_value::text AS last FROM pg_sequences
      WHERE schemaname !~ '^flexlift'`,
  );
  const sequences = rows.map(({ name, last }) => [`sequence ${name}`, last ?? 'not called'] as const);
  return { ...(await tableContents(client)), ...Object.fromEntries(sequences) };
}
