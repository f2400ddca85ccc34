import { createHash } from 'node:crypto';

const DEFAULT_PORT = 5432;
const LONGEST = 80;

/**
 * The default name of a migration, e.g. `old-db-to-new-db-5433-shop`: the same source, target and databases have the
 * same name, so that the same command finds its migration again.
 */
export function defaultMigrationName(
  source: { host: string; port: number },
  target: { host: string; port: number },
  databases: string[] | undefined,
): string {
  const parts = [serverLabel(source), 'to', serverLabel(target), ...[...(databases ?? [])].sort()];
  const exact = parts.join('-');
  const readable = parts.map(sanitize).filter(Boolean).join('-');
  if (readable === exact && readable.length <= LONGEST) return readable;
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 8);
  return `${readable.slice(0, LONGEST - digest.length - 1)}-${digest}`;
}

function serverLabel({ host, port }: { host: string; port: number }): string {
  return port === DEFAULT_PORT ? host : `${host}-${port}`;
}

function sanitize(text: string): string {
  return text.replace(/[^A-Za-z0-9._]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
}
