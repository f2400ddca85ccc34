import type { Client } from 'pg';
import type { Side } from './endpoint';
import { quoteLiteral } from './identifier';

/**
 * Everything a result could depend on is set here and nowhere else. A setting that a server does not know (newer or
 * older than this table) is left out by the join.
 */
const SETTINGS: Record<string, string> = {
  search_path: '',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  // money is text of this locale: the same on both sides
  lc_monetary: 'C',
  array_nulls: 'on',
  xmloption: 'content',
  standard_conforming_strings: 'on',
  // a database may be set to another level; waiting for a row of the ledger must not fail with 40001
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // a policy that would hide rows is an error, not fewer rows
  row_security: 'off',
  // scans from the first page on, so that ctid ranges read what they name and no more
  synchronize_seqscans: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  client_min_messages: 'error',
  check_function_bodies: 'off',
  default_table_access_method: 'heap',
  default_tablespace: '',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '10',
};

/** The source is a guest house: nothing can be written there by mistake. */
const SOURCE_SETTINGS = { default_transaction_read_only: 'on' };
const TARGET_SETTINGS = { default_transaction_read_only: 'off', synchronous_commit: 'on' };

/** One statement without parameters: a walsender takes no other. */
export async function applySessionSettings(client: Client, side: Side): Promise<void> {
  const settings = { ...SETTINGS, ...(side === 'source' ? SOURCE_SETTINGS : TARGET_SETTINGS) };
  const wanted = Object.entries(settings).map((setting) => `(${setting.map(quoteLiteral).join(', ')})`);
  await client.query(
    `SELECT pg_catalog.set_config(s.name, wanted.value, false)
       FROM (VALUES ${wanted.join(', ')}) AS wanted(name, value)
       JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = pg_catalog.lower(wanted.name)`,
  );
}
