import type { PasswordReference, ServerAddress, SslMode } from '../contract';
import { parseConnectionString, type ConnectionFields } from './connection-string';
import type { ServerOptions } from './migration-options';
import { RequestError } from './request-error';

/** A password in clear, in this process only: it is sealed before it goes anywhere. */
export interface ClearPassword {
  kind: 'clear';
  text: string;
}

/** A server whose password may still be in clear. */
export type ClearAddress = Omit<ServerAddress, 'password'> & { password: PasswordReference | ClearPassword };

/** libpq's word for the certificates that the machine trusts anyway: no file, and the certificate is checked. */
export const SYSTEM_CERTIFICATES = 'system';

const SSL_MODES: readonly SslMode[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'];

/**
 * Puts a server together from its parts, its connection string and the `PG…` environment, in this order.
 *
 * @param option `source` or `target`, for errors
 * @throws RequestError, which names the field and never shows a password
 */
export function resolveServer(
  server: ServerOptions,
  option: 'source' | 'target',
  environment: NodeJS.ProcessEnv = process.env,
): ClearAddress {
  const given = server.uri === undefined ? {} : parseConnectionString(server.uri, option);
  const user = server.user ?? given.user ?? nonEmpty(environment.PGUSER);
  const host = server.host ?? given.host ?? nonEmpty(environment.PGHOST);
  if (host === undefined) {
    throw new RequestError(`${option}.host`, 'no host is named.', 'Name it: postgres://user@host:5432/.');
  }
  const port = server.port ?? portOf(given.port ?? nonEmpty(environment.PGPORT) ?? '5432', option);
  if (user === undefined) {
    throw new RequestError(
      `${option}.user`,
      'no user is named.',
      `Name it: postgres://user@${uriHost(host)}/.`,
    );
  }
  const rootCert = server.sslRootCert ?? given.sslrootcert ?? nonEmpty(environment.PGSSLROOTCERT);
  const isSystem = rootCert === SYSTEM_CERTIFICATES;
  const sslMode = given.sslmode ?? nonEmpty(environment.PGSSLMODE) ?? (isSystem ? 'verify-full' : 'prefer');
  return {
    host: plain(host, `${option}.host`),
    port,
    user: plain(user, `${option}.user`),
    maintenanceDatabase: plain(
      server.maintenanceDatabase ?? given.dbname ?? 'postgres',
      `${option}.maintenanceDatabase`,
    ),
    password: passwordOf(server, given, option, environment),
    sslMode: server.sslMode ?? sslModeOf(sslMode, option),
    ...(rootCert === undefined || isSystem ? {} : { sslRootCert: rootCert }),
  };
}

function passwordOf(
  server: ServerOptions,
  given: ConnectionFields,
  option: string,
  environment: NodeJS.ProcessEnv,
): PasswordReference | ClearPassword {
  const inUri = server.password ?? given.password;
  const ways: (PasswordReference | ClearPassword)[] = [];
  if (inUri !== undefined) ways.push({ kind: 'clear', text: inUri });
  if (server.passwordEnv !== undefined) ways.push({ kind: 'env', name: server.passwordEnv });
  if (server.passwordFile !== undefined) ways.push({ kind: 'file', path: server.passwordFile });
  if (ways.length > 1) {
    throw new RequestError(`${option}.password`, 'the password is given in several ways.', 'Give it in one.');
  }
  const shared = nonEmpty(environment.PGPASSWORD);
  return ways[0] ?? (shared === undefined ? { kind: 'pgpass' } : { kind: 'clear', text: shared });
}

/** The text stays out of the error: in a URI with a bare `/` or `@` it is a piece of the password. */
function portOf(text: string, option: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new RequestError(
    `${option}.port`,
    'it must be a number from 1 to 65535.',
    'Correct it; a : / @ inside a password must be written as %3A %2F %40.',
  );
}

function sslModeOf(text: string, option: string): SslMode {
  const mode = SSL_MODES.find((known) => known === text);
  if (mode !== undefined) return mode;
  throw new RequestError(`${option}.sslMode`, 'it has none of its values.', `Give ${SSL_MODES.join(', ')}.`);
}

/** A NUL ends the text in PostgreSQL's protocol: what stands behind it would be another field. */
function plain(text: string, option: string): string {
  if (!text.includes('\0')) return text;
  throw new RequestError(option, 'it holds a NUL character.', 'Take it out.');
}

function uriHost(host: string): string {
  return host.includes('/') ? encodeURIComponent(host) : host;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
