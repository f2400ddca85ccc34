import type { Client } from 'pg';

/** What no application has made. */
const NOT_OURS = `'^(pg_|information_schema$|flexlift)'`;

/** Of each table its rows and a sum of their hashes, computed by nothing of ours. */
export async function tableContents(client: Client): Promise<Record<string, string>> {
  await client.query(`SET extra_float_digits = 3; SET TimeZone = 'UTC'`);
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname !~ ${NOT_OURS} ORDER BY 1`,
  );
  const contents: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await client.query<{ sum: string }>(
      `SELECT count(*) || ' rows, hash ' || COALESCE(sum(hashtextextended(t::text, 0)), 0) AS sum FROM ONLY ${name} t`,
    );
    contents[name] = rows[0]?.sum ?? '';
  }
  return contents;
}

/** Of each table what {@link tableContents} says, and where each sequence stands. */
export async function databaseContents(client: Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; last: string | null }>(
    `SELECT format('%I.%I', schemaname, sequencename) AS name, last_value::text AS last FROM pg_sequences
      WHERE schemaname !~ '^flexlift'`,
  );
  const sequences = rows.map(({ name, last }) => [`sequence ${name}`, last ?? 'not called'] as const);
  return { ...(await tableContents(client)), ...Object.fromEntries(sequences) };
}

/** One sentence for each that is not the same on both sides. */
export function differences(source: Record<string, string>, target: Record<string, string>): string[] {
  const names = [...new Set([...Object.keys(source), ...Object.keys(target)])].sort();
  return names
    .filter((name) => source[name] !== target[name])
    .map((name) => `${name}: source ${source[name] ?? 'none'}, target ${target[name] ?? 'none'}`);
}
