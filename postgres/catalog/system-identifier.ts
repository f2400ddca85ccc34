import type { Client } from 'pg';

/** Of the cluster: a standby that is promoted keeps it, no other server has it. */
export async function systemIdentifier(client: Client): Promise<string> {
  const { rows } = await client.query<{ system_identifier: string }>(
    'SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()',
  );
  return rows[0]?.system_identifier ?? '';
}
