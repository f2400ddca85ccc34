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
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    ...(await passwordVariables(endpoint, directory)),
    LC_ALL: 'C',
    PGAPPNAME: endpoint.applicationName,
    PGOPTIONS: SESSION_OPTIONS,
    PGSSLMODE: sslMode,
    PGGSSENCMODE: 'disable',
    // the name of a file that doesn't exist: libpq's default in the home directory must not decide anything
    PGSSLROOTCERT: verifies ? await rootCertificateFile(endpoint, directory) : join(directory, 'no-root.crt'),
  };
}

/**
 * With `pgpass`, the very places where `pg` looks for our own sessions' password, in the same order: PGPASSWORD, then
 * the file. Its default is named, for older libpq takes the home directory from passwd and not from HOME. Otherwise no
 * file decides anything.
 */
async function passwordVariables(endpoint: Endpoint, directory: string): Promise<Record<string, string>> {
  const isPgpass = endpoint.address.password.kind === 'pgpass';
  const password = isPgpass ? process.env.PGPASSWORD : await endpoint.resolvePassword();
  return {
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    PGPASSFILE: isPgpass ? workerPgpass() : join(directory, 'no-pgpass'),
  };
}

function workerPgpass(): string {
  const { PGPASSFILE, HOME } = process.env;
  return PGPASSFILE || join(HOME || '.', '.pgpass');
}

async function rootCertificateFile(endpoint: Endpoint, directory: string): Promise<string> {
  const { sslRootCert } = endpoint.address;
  if (sslRootCert !== undefined) return sslRootCert;
  const path = join(directory, 'root.crt');
  await writeFile(path, rootCertificates.join('\n'));
  return path;
}
