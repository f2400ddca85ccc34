import { DatabaseError, type Client } from 'pg';
import { inTransaction } from '../ledger';

/**
 * Whether the connected server's operating system has a locale. CREATE DATABASE would say it too late; a local SET
 * of `lc_monetary`, open to every user, makes the server ask its C library and changes nothing.
 */
export async function hasLibcLocale(client: Client, locale: string): Promise<boolean> {
  if (locale === 'C' || locale === 'POSIX') return true;
  try {
    await inTransaction(client, () =>
      client.query(`SELECT pg_catalog.set_config('lc_monetary', $1, true)`, [locale]),
    );
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === '22023') return false;
    throw error;
  }
}

/** Whether the connected server was built with ICU: initdb imports its collations then. */
export async function hasIcu(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_catalog.pg_collation WHERE collprovider = 'i' LIMIT 1`,
  );
  return rowCount !== 0;
}
