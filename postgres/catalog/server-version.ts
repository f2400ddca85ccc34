import type { Client } from 'pg';

export interface ServerVersion {
  /** 11, 14, 18… */
  major: number;
  /** As the server says it, e.g. `17.5 (Debian 17.5-1.pgdg120+1)`. */
  text: string;
}

export async function serverVersion(client: Client): Promise<ServerVersion> {
  const { rows } = await client.query<{ number: string; text: string }>(
    `SELECT pg_catalog.current_setting('server_version_num') AS number,
            pg_catalog.current_setting('server_version') AS text`,
  );
  const { number, text } = rows[0] ?? { number: '0', text: 'unknown' };
  return { major: Math.floor(Number(number) / 10_000), text };
}
