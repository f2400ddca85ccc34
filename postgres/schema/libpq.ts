import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Endpoint } from '../connect';

/**
 * A libpq connection string without the password. As `--dbname` it keeps a database's name whole: a bare name with `=`
 * in it would be read as a connection string.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
 */
export function connectionString(endpoint: Endpoint, database: string): string {
  const { host, port, user } = endpoint.address;
  const parameters = {
    host,
    port,
    user,
    dbname: database,
    connect_timeout: Math.max(2, Math.ceil(endpoint.connectTimeout / 1000)),
    keepalives_idle: 10,
    keepalives_interval: 10,
    keepalives_count: 3,
  };
  return Object.entries(parameters)
    .map(([key, value]) => `${key}='${String(value).replace(/[\\']/g, '\\$&')}'`)
    .join(' ');
}

/** Settings of pg_dump's session that it doesn't make itself, and that its output depends on. */
const SESSION_OPTIONS = [
  // with `off`, a backslash in a literal is doubled and would arrive doubled in our sessions
  '-c standard_conforming_strings=on',
  '-c default_transaction_read_only=on',
  '-c tcp_keepalives_idle=10',
  '-c tcp_keepalives_interval=10',
].join(' ');

/**
 * The environment of a client tool: the worker's own without any `PG…` variable, then ours. The password travels here,
 * since a command line can be read by everybody on the host. TLS is verified exactly as our own connections do.
 *
 * @param directory a directory of the caller's, for files that libpq has to read
 */
export async function libpqEnvironment(
  endpoint: Endpoint,
  directory: string,
): Promise<Record<string, string>> {
  const inherited = Object.entries(process.env).filter(([key]) => !/^(PG|LC_|LANG)/.test(key));
  const { sslMode } = endpoint.address;
  const verifies = sslMode === 'verify-ca' || sslMode === 'verify-full';
  const password = await endpoint.resolvePassword();
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    LC_ALL: 'C',
    PGAPPNAME: endpoint.applicationName,
    PGOPTIONS: SESSION_OPTIONS,
    PGSSLMODE: sslMode,
    PGGSSENCMODE: 'disable',
    // names of files that don't exist: libpq's defaults in the home directory must not decide anything
    PGPASSFILE: join(directory, 'no-pgpass'),
    PGSSLROOTCERT: verifies ? await rootCertificateFile(endpoint, directory) : join(directory, 'no-root.crt'),
  };
}

async function rootCertificateFile(endpoint: Endpoint, directory: string): Promise<string> {
  const { sslRootCert } = endpoint.address;
  if (sslRootCert !== undefined) return sslRootCert;
  const path = join(directory, 'root.crt');
  await writeFile(path, rootCertificates.join('\n'));
  return path;
}
