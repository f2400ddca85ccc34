import { RequestError } from './request-error';

/** What a connection string says, by libpq's keywords; text as given, decoded. */
export interface ConnectionFields {
  host?: string;
  port?: string;
  user?: string;
  password?: string;
  dbname?: string;
  sslmode?: string;
  sslrootcert?: string;
}

const KEYWORDS = ['host', 'port', 'user', 'password', 'dbname', 'sslmode', 'sslrootcert'] as const;
type Keyword = (typeof KEYWORDS)[number];

/** Say nothing of where or how to connect: flexlift sets its own. */
const IGNORED = new Set(['application_name', 'fallback_application_name', 'connect_timeout']);

const FORM =
  'Write it as postgres://user@host:port/database?sslmode=require, with %-escapes for @ / : ? # in a part.';

/**
 * Reads `postgres://user:password@host:port/database?sslmode=…` or `host=… port=… user=…`, as libpq does: a password
 * may hold `?`, `#`, `:` and, more lenient than libpq, `@`; a host may be an IPv6 address in brackets or the escaped
 * directory of a Unix socket (`postgres://user@%2Fvar%2Frun%2Fpostgresql/postgres`, or `?host=/var/run/postgresql`).
 *
 * @param option what to call it in an error, e.g. `source`
 * @throws RequestError, which never shows the text, for it may hold a password
 */
export function parseConnectionString(text: string, option: string): ConnectionFields {
  const uri = /^postgres(?:ql)?:\/\/([^]*)$/i.exec(text.trim());
  if (uri !== null) return parseUri(uri[1] ?? '', option);
  if (/^\s*[a-z_]+\s*=/i.test(text)) return parseKeywords(text, option);
  throw new RequestError(option, 'this is no connection string.', FORM);
}

function parseUri(rest: string, option: string): ConnectionFields {
  const fields: ConnectionFields = {};
  const authority = rest.slice(0, endOf(rest, '/'));
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const [user, password] = splitAt(authority.slice(0, at), ':');
    assign(fields, 'user', user, option);
    assign(fields, 'password', password, option);
  }
  const [locator, query] = splitAt(rest.slice(at + 1), '?');
  const [server, database] = splitAt(locator, '/');
  if (at < 0 && database?.includes('@') === true) {
    throw new RequestError(
      option,
      'an @ stands behind the first / of the URI.',
      `Escape the password. ${FORM}`,
    );
  }
  parseServer(fields, server, option);
  assign(fields, 'dbname', database, option);
  for (const pair of query?.split('&') ?? []) {
    if (pair === '') continue;
    const [key, value] = splitAt(pair, '=');
    setParameter(
      fields,
      decode(key, 'a parameter', option),
      decode(value ?? '', 'a parameter', option),
      option,
    );
  }
  return fields;
}

function parseServer(fields: ConnectionFields, server: string, option: string): void {
  if (server.includes(',')) {
    throw new RequestError(option, 'the URI names several hosts.', 'Name the one to migrate.');
  }
  const bracketed = /^\[([^\]]*)\](?::([^:]*))?$/.exec(server);
  const plain = /^([^:[\]]*)(?::([^:]*))?$/.exec(server);
  const match = bracketed ?? plain;
  if (match === null) {
    throw new RequestError(
      option,
      'the host in the URI is malformed.',
      'Put an IPv6 address in brackets: [::1].',
    );
  }
  assign(fields, 'host', match[1], option);
  assign(fields, 'port', match[2], option);
}

/** `key = value`, values with blanks in single quotes, backslash escapes. */
function parseKeywords(text: string, option: string): ConnectionFields {
  const fields: ConnectionFields = {};
  const pair = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\[^])*)'|((?:[^\s'\\]|\\[^])*))(?=\s|$)/giy;
  const trimmed = text.trim();
  while (pair.lastIndex < trimmed.length) {
    const match = pair.exec(trimmed);
    if (match === null) {
      throw new RequestError(
        option,
        'the connection string is malformed.',
        `Quote values with blanks. ${FORM}`,
      );
    }
    const value = (match[2] ?? match[3] ?? '').replace(/\\([^])/g, '$1');
    setParameter(fields, (match[1] ?? '').toLowerCase(), value, option);
  }
  return fields;
}

function setParameter(fields: ConnectionFields, key: string, value: string, option: string): void {
  if (IGNORED.has(key)) return;
  if (key === 'ssl' && value === 'true') fields.sslmode ??= 'require';
  else if (isKeyword(key)) fields[key] = value;
  else if (/^[a-z_]+$/.test(key)) {
    throw new RequestError(option, `parameter ${JSON.stringify(key)} is not supported.`, 'Leave it out.');
  } else {
    // of a password that is not escaped it may be a piece
    throw new RequestError(option, 'what stands behind a ? of the URI is no parameter.', FORM);
  }
}

function isKeyword(key: string): key is Keyword {
  return (KEYWORDS as readonly string[]).includes(key);
}

/** An empty part counts as absent, as in libpq. */
function assign(fields: ConnectionFields, key: Keyword, raw: string | undefined, option: string): void {
  if (raw !== undefined && raw !== '') fields[key] = decode(raw, `the ${key}`, option);
}

function decode(raw: string, what: string, option: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new RequestError(
      option,
      `${what} in the URI holds a % that begins no valid escape.`,
      'Write % as %25.',
    );
  }
}

function splitAt(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function endOf(text: string, stop: string): number {
  const at = text.indexOf(stop);
  return at < 0 ? text.length : at;
}
