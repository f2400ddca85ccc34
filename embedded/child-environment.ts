/** What a program needs to find its files and speak the user's language; nothing that holds a secret. */
const BASE = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'USERPROFILE',
  'LOCALAPPDATA',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
  'XDG_STATE_HOME',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/**
 * The environment of a child process: a fixed list of harmless variables and `more`, never all of ours, for that
 * holds the passwords of `env:` references.
 */
export function childEnvironment(
  more: string[] = [],
  from: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const names = [...BASE, ...more].filter((name) => from[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, from[name]]));
}
