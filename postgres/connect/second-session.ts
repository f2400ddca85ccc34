import type { Client, QueryResultRow } from 'pg';
import type { Endpoint } from './endpoint';
import { close, open, socketOf } from './open';

/**
 * One query on a session of its own, beside one that does not answer; it takes no longer than opening and closing a
 * connection may.
 */
export async function askBeside<Row extends QueryResultRow>(
  endpoint: Endpoint,
  database: string,
  sql: string,
  values: unknown[],
): Promise<{ rows: Row[]; backend: number | undefined }> {
  const second = await open(endpoint, database);
  const limit = setTimeout(() => socketOf(second).destroy(), endpoint.connectTimeout);
  try {
    const { rows } = await second.query<Row>(sql, values);
    return { rows, backend: backendOf(second) };
  } finally {
    clearTimeout(limit);
    await close(second);
  }
}

/** The process that serves the session, as the server said when it began. */
export function backendOf(client: Client): number | undefined {
  return (client as Client & { processID?: number }).processID;
}
