import { isNativeError } from 'node:util/types';
import { DatabaseError } from 'pg';
import { FlexliftError, type FailureCode, type FailurePlace } from '../../contract';

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);

/** Of a connection that was there. */
const BROKEN_CODES = new Set(['ECONNRESET', 'EPIPE']);

/** Of OpenSSL and of Node: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const TLS_CODE =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_(CA|PURPOSE)|ERR_TLS_|ERR_SSL_|EPROTO)/;

const REMEDY_FOR_TLS =
  'Check sslmode and sslrootcert: verify-full wants the root certificate that signed the server’s and the host by the name in it; a server without TLS wants sslmode=disable.';

const REMEDIES: Partial<Record<FailureCode, string>> = {
  Unreachable: 'Check host, port, firewall and that the server runs.',
  ServerRestarting: 'Nothing to do if the server is being restarted: the work goes on by itself.',
  TooManyConnections: 'Lower --copies or raise max_connections on that server.',
  Contention: 'Nothing to do: it is tried again; find long transactions with pg_stat_activity if it lasts.',
  StatementCancelled: 'Nothing to do: it is tried again.',
  SnapshotLost: 'Nothing to do: a new snapshot is taken.',
  ResourceExhausted: 'Free space or memory on that server; the work goes on by itself.',
  AuthenticationFailed: 'Check user, password and pg_hba.conf of that server.',
  DatabaseMissing: 'Create the database or correct its name.',
  PermissionDenied: 'Grant the right to the user of this migration.',
  DataRejected:
    "Find the value in that server's log, correct the row or the constraint it breaks, and start again.",
  StatementRejected: 'Correct the object on the source, or leave it out, and start again.',
  Unexpected: 'It is tried again; look at the log of the server if it lasts.',
};

/** data_corrupted, index_corrupted */
const DAMAGED = new Set(['XX001', 'XX002']);

const REMEDY_FOR_DAMAGE =
  'Repair what is damaged on that server, or restore it from a backup, and start again; its log says where.';

const REMEDY_FOR_LOCKS =
  'Raise max_locks_per_transaction on that server and restart it; the work goes on by itself.';

/** What the server says, as of something unforeseen, to a value whose text would be longer than 1 GB. */
const TOO_LONG = /^invalid memory alloc request size/;

const places = new WeakMap<object, FailurePlace>();

/**
 * Remembers on which connection an error arose: where two connections are nested, the inner one sees the outer one's
 * errors pass first.
 */
export function rememberPlace(error: unknown, place: FailurePlace): void {
  if (typeof error === 'object' && error !== null && !places.has(error)) places.set(error, place);
}

/**
 * Turns whatever a driver or a socket threw into one failure of the vocabulary. A FlexliftError passes as it is.
 *
 * @param fallback the place of an error that no connection has remembered
 */
export function mapPostgresError(error: unknown, fallback: FailurePlace): FlexliftError {
  if (error instanceof FlexliftError) return error;
  const place = {
    ...fallback,
    ...(typeof error === 'object' && error !== null ? places.get(error) : undefined),
  };
  if (error instanceof DatabaseError) return fromDatabaseError(error, place);
  const text = isNativeError(error) ? error.message : String(error);
  if (isNativeError(error) && isTlsError(error)) return noTls(error, place);
  if (!isNativeError(error) || !isNetworkError(error))
    return fail('Unexpected', text, place, undefined, error);
  const server = place.side ?? 'server';
  const sentence = isBroken(error)
    ? `The connection to the ${server} broke: ${text}`
    : `The ${server} cannot be reached: ${text}`;
  return fail('Unreachable', sentence, place, undefined, error);
}

/** SQLSTATE to code; https://www.postgresql.org/docs/current/errcodes-appendix.html */
export function codeOfSqlState(sqlState: string): FailureCode {
  if (sqlState === '53300') return 'TooManyConnections';
  // 25006: the name points at a standby, or the server went read-only for want of space; both pass
  if (/^57P0[1-5]$/.test(sqlState) || sqlState === '25006') return 'ServerRestarting';
  if (['57014', '25P03', '25P04'].includes(sqlState)) return 'StatementCancelled';
  if (sqlState === '72000') return 'SnapshotLost';
  if (sqlState === '58030') return 'ResourceExhausted';
  if (['55P03', '40P01', '40001', '55006'].includes(sqlState)) return 'Contention';
  if (sqlState === '3D000') return 'DatabaseMissing';
  if (sqlState === '42501') return 'PermissionDenied';
  if (DAMAGED.has(sqlState)) return 'DataRejected';
  const byClass: Record<string, FailureCode> = {
    '08': 'Unreachable',
    '28': 'AuthenticationFailed',
    '53': 'ResourceExhausted',
    '22': 'DataRejected',
    '23': 'DataRejected',
    XX: 'Unexpected',
  };
  return byClass[sqlState.slice(0, 2)] ?? 'StatementRejected';
}

function fromDatabaseError(error: DatabaseError, place: FailurePlace): FlexliftError {
  const sqlState = error.code ?? 'XX000';
  const object =
    place.object ??
    (error.table === undefined ? undefined : [error.schema, error.table].filter(Boolean).join('.'));
  // detail, where and the query may hold values of rows too: they stay out of histories and logs
  const sentence = quotesValue(sqlState) ? 'The server refused a value of a row' : error.message;
  const code = TOO_LONG.test(error.message) ? 'DataRejected' : codeOfSqlState(sqlState);
  const failure = fail(code, sentence, { ...place, object }, sqlState, error);
  const remedy = DAMAGED.has(sqlState)
    ? REMEDY_FOR_DAMAGE
    : isOutOfLocks(error)
      ? REMEDY_FOR_LOCKS
      : undefined;
  return remedy === undefined ? failure : new FlexliftError({ ...failure.fields, remedy }, { cause: error });
}

/** The server has no room for another lock. The hint names the setting in every language. */
export function isOutOfLocks({ hint }: DatabaseError): boolean {
  return hint?.includes('max_locks_per_transaction') === true;
}

/** Messages of class 22 quote the value they refuse: `invalid input syntax for type integer: "…"`; few do not. */
function quotesValue(sqlState: string): boolean {
  return sqlState.startsWith('22') && !['22001', '22004', '22012'].includes(sqlState);
}

function fail(
  code: FailureCode,
  text: string,
  place: FailurePlace,
  sqlState: string | undefined,
  cause: unknown,
): FlexliftError {
  const sentence = `${text.trim().replace(/\.$/, '')}.`;
  const remedy = REMEDIES[code] ?? 'See the log of the server.';
  return new FlexliftError({ code, sentence, remedy, sqlState, ...place }, { cause });
}

function noTls(error: Error, place: FailurePlace): FlexliftError {
  const sentence = `No TLS connection to the ${place.side ?? 'server'} comes about: ${error.message}`;
  const failure = fail('Unreachable', sentence, place, undefined, error);
  return new FlexliftError({ ...failure.fields, remedy: REMEDY_FOR_TLS }, { cause: error });
}

function isTlsError(error: Error): boolean {
  return TLS_CODE.test(codeOf(error)) || /does not support SSL/i.test(error.message);
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}

function isNetworkError(error: Error): boolean {
  return (
    NETWORK_CODES.has(codeOf(error)) ||
    /terminated|timeout|connection.*(closed|ended)|not queryable/i.test(error.message)
  );
}

function isBroken(error: Error): boolean {
  if ('syscall' in error && error.syscall === 'connect') return false;
  return BROKEN_CODES.has(codeOf(error)) || /terminated|closed|ended|not queryable/i.test(error.message);
}
