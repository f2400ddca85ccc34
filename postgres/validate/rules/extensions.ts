import type { Client } from 'pg';
import { MANAGED_EXTENSIONS } from '../../catalog';
import { quoteIdentifier } from '../../connect';
import { failed, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';

/** In every database anyway: template0 has the first. */
const LEFT_ALONE = ['plpgsql', ...MANAGED_EXTENSIONS];

/** CREATE EXTENSION fails unless the library was loaded at the server's start. */
const PRELOAD_DEMANDED = new Set([
  'citus',
  'credcheck',
  'pg_cron',
  'pg_squeeze',
  'pgaudit',
  'pglogical',
  'timescaledb',
]);
/** It can be created, but does not work without that. */
const PRELOAD_WANTED = new Set(['age', 'anon', 'pg_failover_slots', 'pg_partman_bgw', 'pg_stat_statements']);

export interface Extension {
  name: string;
  version: string;
}

export interface Offer {
  name: string;
  version: string;
  superuser: boolean;
  installed: boolean;
}

export interface ExtensionServer {
  offers: Map<string, Offer>;
  /** `azure.extensions`, lower case; absent where the server has no such list. */
  allowed?: Set<string>;
  /** `shared_preload_libraries`; absent where the user may not see it. */
  preloaded?: Set<string>;
  /** `cron.database_name`: the only database in which pg_cron can be created; absent where it is not loaded or may not be seen. */
  cronDatabase?: string;
  /** A provider whose own machinery creates extensions for a plain user. */
  provider: boolean;
}

export const extensions: Rule<DatabaseContext> = {
  id: 'extensions',
  holds: 'The target has every extension that the source uses.',
  async check({ sourceClient, target, targetClient, database }) {
    const { rows } = await sourceClient.query<Extension>(
      `SELECT extname AS name, extversion AS version FROM pg_catalog.pg_extension
        WHERE extname <> ALL ($1) ORDER BY extname`,
      [LEFT_ALONE],
    );
    if (rows.length === 0) return [];
    const server = await readServer(targetClient ?? target.client, database);
    return rows.flatMap((extension) =>
      checkExtension(extension, { server, database, superuser: target.user.superuser }),
    );
  },
};

export function checkExtension(
  extension: Extension,
  { server, database, superuser }: { server: ExtensionServer; database: string; superuser: boolean },
): Verdict[] {
  const { name, version } = extension;
  const offer = server.offers.get(name);
  if (offer === undefined) {
    return [
      failed(
        `The target has no extension ${name}.`,
        'Install it on the target, or drop it on the source (DROP EXTENSION) if nothing needs it.',
      ),
    ];
  }
  if (server.allowed !== undefined && !server.allowed.has(name)) {
    return [
      failed(
        `The target does not allow extension ${name}.`,
        `Add ${name} to the server parameter azure.extensions of the target.`,
      ),
    ];
  }
  if (offer.superuser && !superuser && !offer.installed && !server.provider) {
    return [
      failed(
        `Only a superuser of the target may create extension ${name}.`,
        `Let a superuser create it in the target database, or migrate as one.`,
      ),
    ];
  }
  const { cronDatabase } = server;
  if (name === 'pg_cron' && cronDatabase !== undefined && cronDatabase !== database && !offer.installed) {
    return [
      failed(
        `The target creates extension pg_cron in database ${quoteIdentifier(cronDatabase)} alone.`,
        `Set the server parameter cron.database_name of the target to ${database} and restart it, or drop the extension on the source (DROP EXTENSION pg_cron).`,
      ),
    ];
  }
  return [...checkPreload(name, server), ...checkVersion(name, version, offer.version)];
}

function checkPreload(name: string, { preloaded }: ExtensionServer): Verdict[] {
  if (!PRELOAD_DEMANDED.has(name) && !PRELOAD_WANTED.has(name)) return [];
  if (preloaded?.has(name) === true) return [];
  const remedy = `Add ${name} to shared_preload_libraries of the target and restart it.`;
  if (preloaded === undefined) {
    return [
      warning(
        `Extension ${name} has to be loaded at the target's start, which this user may not see.`,
        remedy,
      ),
    ];
  }
  const message = `Extension ${name} is not loaded at the target's start.`;
  return [PRELOAD_DEMANDED.has(name) ? failed(message, remedy) : warning(message, remedy)];
}

function checkVersion(name: string, source: string, target: string): Verdict[] {
  if (compareVersions(target, source) >= 0) return [];
  return [
    warning(
      `Extension ${name} is at version ${source} on the source; the target makes ${target}.`,
      'Install the newer version on the target, or see that nothing uses what came with it.',
    ),
  ];
}

/** By the numbers in them: `1.10` is after `1.9`. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => (version.match(/\d+/g) ?? []).map(Number));
  const length = Math.max(a?.length ?? 0, b?.length ?? 0);
  for (let index = 0; index < length; index++) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

async function readServer(client: Client, database: string): Promise<ExtensionServer> {
  const { rows } = await client.query<{
    allowed: string | null;
    preloaded: string | null;
    cron: string | null;
    provider: boolean;
  }>(
    `SELECT pg_catalog.current_setting('azure.extensions', true) AS allowed,
            (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'shared_preload_libraries') AS preloaded,
            (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'cron.database_name') AS cron,
            pg_catalog.current_setting('azure.extensions', true) IS NOT NULL
            OR pg_catalog.current_setting('rds.extensions', true) IS NOT NULL
            OR EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname IN ('cloudsqlsuperuser', 'alloydbsuperuser'))
              AS provider`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a query without a source of rows gave none');
  const { allowed, preloaded, cron, provider } = row;
  return {
    offers: new Map((await readOffers(client, database)).map((offer) => [offer.name, offer])),
    ...(allowed === null ? {} : { allowed: listOf(allowed) }),
    ...(preloaded === null ? {} : { preloaded: listOf(preloaded) }),
    ...(cron === null ? {} : { cronDatabase: cron }),
    provider,
  };
}

/**
 * Where the target's database does not stand yet it is the maintenance database that is asked, and what that one has is not
 * installed. `trusted` came with 13: a row as JSON has it where it is there.
 */
async function readOffers(client: Client, database: string): Promise<Offer[]> {
  const { rows } = await client.query<Offer>(
    `SELECT e.name, e.default_version AS version, e.installed_version IS NOT NULL AND pg_catalog.current_database() = $1 AS installed,
            v.superuser AND NOT COALESCE((pg_catalog.to_jsonb(v) ->> 'trusted')::boolean, false) AS superuser
       FROM pg_catalog.pg_available_extensions e
       JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version`,
    [database],
  );
  return rows;
}

function listOf(setting: string): Set<string> {
  return new Set(
    setting
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== ''),
  );
}
