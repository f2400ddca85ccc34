import type { Client } from 'pg';
import { isNotOurs, serverVersion } from '../../catalog';

/** Catalogs that hold a database's schema, and the column that names the relation a row belongs to. */
const CATALOGS: [name: string, relation?: string][] = [
  ['pg_attribute', 'attrelid'],
  ['pg_attrdef', 'adrelid'],
  ['pg_constraint', 'conrelid'],
  ['pg_inherits', 'inhrelid'],
  ['pg_trigger', 'tgrelid'],
  ['pg_rewrite', 'ev_class'],
  ['pg_policy', 'polrelid'],
  ['pg_sequence', 'seqrelid'],
  ['pg_foreign_table', 'ftrelid'],
  ['pg_enum'],
  ['pg_range'],
  ['pg_proc'],
  ['pg_aggregate'],
  ['pg_operator'],
  ['pg_opfamily'],
  ['pg_opclass'],
  ['pg_amop'],
  ['pg_amproc'],
  ['pg_cast'],
  ['pg_collation'],
  ['pg_conversion'],
  ['pg_extension'],
  ['pg_statistic_ext'],
  ['pg_event_trigger'],
  ['pg_language'],
  ['pg_am'],
  ['pg_foreign_data_wrapper'],
  ['pg_foreign_server'],
  ['pg_ts_config'],
  ['pg_ts_config_map'],
  ['pg_ts_dict'],
  ['pg_ts_parser'],
  ['pg_ts_template'],
  ['pg_default_acl'],
  ['pg_seclabel'],
];

/**
 * Changes with every change of the database's schema, and costs a fraction of reading its catalog: a row is told by the
 * transaction that wrote it. Where something else than DDL writes rows too (TRUNCATE gives pg_class one for a new file,
 * CREATE INDEX CONCURRENTLY sets flags of pg_index in place), the values that count are taken. Temporary tables come and
 * go and don't count, nor do publications of ours, and with them the fence, nor other databases.
 */
export async function catalogMark(source: Client): Promise<string> {
  const { major } = await serverVersion(source);
  const parts = [...CATALOGS.map(([name, relation]) => writtenRows(name, relation)), ...VALUES];
  if (major >= 15) parts.push(writtenRows('pg_publication_namespace', 'pnpubid', 'ours'));
  const { rows } = await source.query<{ mark: string }>(
    `WITH temporary AS (SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't'),
          ours AS (SELECT oid FROM pg_catalog.pg_publication WHERE NOT (${isNotOurs('pubname')}))
     SELECT pg_catalog.concat_ws(',', (${parts.join('), (')})) AS mark`,
  );
  return rows[0]?.mark ?? '';
}

function writtenRows(catalog: string, owner?: string, without: 'temporary' | 'ours' = 'temporary'): string {
  const counts = owner === undefined ? 'true' : `${owner} NOT IN (SELECT oid FROM ${without})`;
  return fingerprint('xmin::pg_catalog.text', `pg_catalog.${catalog} WHERE ${counts}`);
}

function fingerprint(text: string, from: string): string {
  return `SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(pg_catalog.hashtextextended(${text}, 0))) FROM ${from}`;
}

function fingerprintOf(columns: string[], from: string): string {
  return fingerprint(`pg_catalog.concat_ws(' ', ${columns.join(', ')})`, from);
}

const VALUES = [
  writtenRows('pg_publication', 'oid', 'ours'),
  writtenRows('pg_publication_rel', 'prpubid', 'ours'),
  fingerprintOf(
    ['xmin'],
    `pg_catalog.pg_description
      WHERE classoid <> 'pg_catalog.pg_publication'::pg_catalog.regclass OR objoid NOT IN (SELECT oid FROM ours)`,
  ),
  fingerprintOf(
    [
      'oid, relname, relnamespace, reloftype, relowner, relam, relpersistence, relkind',
      'relrowsecurity, relforcerowsecurity, relispartition, relreplident, relacl, reloptions, relpartbound',
    ],
    // a table that is rewritten gets a new TOAST table
    `pg_catalog.pg_class WHERE relpersistence <> 't' AND (relkind <> 't' OR reloptions IS NOT NULL)`,
  ),
  fingerprintOf(
    ['indexrelid, xmin, indisvalid, indisready, indislive, indisclustered, indisreplident'],
    'pg_catalog.pg_index WHERE indrelid NOT IN (SELECT oid FROM temporary)',
  ),
  fingerprintOf(
    ['t.xmin'],
    `pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
      WHERE n.nspname !~ '^pg_(toast_)?temp_'`,
  ),
  fingerprintOf(['xmin'], `pg_catalog.pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'`),
  // who may not read their options sees that they exist
  fingerprintOf(['umid, umoptions'], 'pg_catalog.pg_user_mappings'),
  // of the whole server what concerns this database: its own comment, and the roles of its objects, by their names
  fingerprintOf(
    ['s.xmin'],
    `pg_catalog.pg_shdescription s
       JOIN pg_catalog.pg_database d ON d.oid = s.objoid AND d.datname = pg_catalog.current_database()
      WHERE s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass`,
  ),
  fingerprintOf(
    ['r.oid, r.rolname'],
    `pg_catalog.pg_roles r
      WHERE r.oid IN (SELECT s.refobjid FROM pg_catalog.pg_shdepend s
                        JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
                         AND (s.dbid = d.oid OR (s.dbid = 0 AND s.objid = d.oid))
                       WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass)`,
  ),
];
