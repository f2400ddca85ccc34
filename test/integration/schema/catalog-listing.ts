import type { Client } from 'pg';

const WITH_IDENTITY = [
  'pg_class',
  'pg_type',
  'pg_proc',
  'pg_constraint',
  'pg_trigger',
  'pg_rewrite',
  'pg_policy',
  'pg_attrdef',
  'pg_operator',
  'pg_opclass',
  'pg_cast',
  'pg_collation',
  'pg_namespace',
  'pg_extension',
  'pg_event_trigger',
  'pg_publication',
  'pg_publication_rel',
  'pg_statistic_ext',
  'pg_default_acl',
  'pg_ts_config',
];

/**
 * What a database holds, one line an object, in an order of its own: kind, identity, and for most what it is made of.
 * Equal on every major; the ledger is left out.
 */
export async function catalogListing(client: Client): Promise<string[]> {
  await client.query(`SET search_path = ''; SET quote_all_identifiers = off`);
  const { rows } = await client.query<{ line: string }>(`
    SELECT line FROM (${[...WITH_IDENTITY.map(identities), ...DEFINITIONS].join(' UNION ALL ')}) AS lines(line)
     WHERE line !~ 'flexlift|pg_toast|_multirange'
     ORDER BY line COLLATE pg_catalog."C"`);
  return rows.map(({ line }) => withoutVersion(line));
}

/** What differs between majors for one and the same object. */
function withoutVersion(line: string): string {
  const view = line.startsWith('view ') ? line.replace(/\s+/g, ' ').replace(/\w+\./g, '') : line;
  // the MAINTAIN privilege is new in 17
  return view.replace('EXECUTE PROCEDURE', 'EXECUTE FUNCTION').replaceAll('arwdDxtm/', 'arwdDxt/');
}

/** Not what belongs to an extension: that is the extension's own, and its version's. */
function own(catalog: string, oid = 'oid'): string {
  return `${oid} >= 16384 AND NOT EXISTS (SELECT FROM pg_depend
    WHERE classid = '${catalog}'::regclass AND objid = ${oid} AND deptype = 'e')`;
}

const RESTRICTIONS: Record<string, string> = {
  pg_constraint: `AND contype <> 'n'`,
  // on partitions they are clones, which older majors call internal
  pg_trigger: `AND NOT tgisinternal AND NOT (SELECT relispartition FROM pg_class r WHERE r.oid = tgrelid)`,
  // an extension's types bring array types that belong to it only through them
  pg_type: `AND typelem = 0 AND typtype <> 'c'`,
};

function identities(catalog: string): string {
  return `SELECT '${catalog} ' || i.type || ' ' || i.identity
            FROM ${catalog} c, pg_identify_object('${catalog}'::regclass, c.oid, 0) i
           WHERE ${own(catalog, 'c.oid')} ${RESTRICTIONS[catalog] ?? ''}`;
}

/** `concat_ws` takes every type and steps over nulls. */
const DEFINITIONS = [
  `SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident)
     FROM pg_index WHERE ${own('pg_class', 'indexrelid')}`,
  `SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
     FROM pg_constraint WHERE ${own('pg_constraint')} AND contype <> 'n'`,
  `SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(oid), tgenabled)
     FROM pg_trigger WHERE ${own('pg_trigger')} ${RESTRICTIONS.pg_trigger}`,
  `SELECT concat_ws(' ', 'function', oid::regprocedure, prosrc, proowner::regrole, ${sorted('proacl')})
     FROM pg_proc WHERE ${own('pg_proc')}`,
  `SELECT concat_ws(' ', 'relation', oid::regclass, relkind, relpersistence, relowner::regrole, relrowsecurity,
                         relforcerowsecurity, reloptions, ${sorted('relacl')})
     FROM pg_class WHERE ${own('pg_class')} AND relkind <> 't'`,
  `SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull,
                         attidentity, attislocal, attinhcount, attstorage, attacl)
     FROM pg_attribute WHERE ${own('pg_class', 'attrelid')} AND attnum > 0 AND NOT attisdropped
      AND attrelid NOT IN (SELECT oid FROM pg_class WHERE relkind IN ('t', 'i', 'I'))`,
  `SELECT concat_ws(' ', 'comment', i.type, i.identity, d.description)
     FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
    WHERE d.objoid >= 16384 AND d.classoid <> 'pg_extension'::regclass OR i.identity = 'public'`,
  `SELECT concat_ws(' ', 'child', inhrelid::regclass, 'of', inhparent::regclass) FROM pg_inherits`,
  `SELECT concat_ws(' ', 'view', oid::regclass, pg_get_viewdef(oid))
     FROM pg_class WHERE ${own('pg_class')} AND relkind IN ('v', 'm')`,
  `SELECT concat_ws(' ', 'enum', enumtypid::regtype, enumlabel) FROM pg_enum`,
  `SELECT concat_ws(' ', 'sequence', seqrelid::regclass, seqtypid::regtype, seqstart, seqmin, seqcycle)
     FROM pg_sequence`,
  `SELECT concat_ws(' ', 'schema', nspname, nspowner::regrole, ${sorted('nspacl')}) FROM pg_namespace WHERE ${own('pg_namespace')}`,
  `SELECT concat_ws(' ', 'owner', typname, typowner::regrole) FROM pg_type WHERE ${own('pg_type')} AND typtype IN ('e', 'd')`,
  `SELECT concat_ws(' ', 'owner', oprname, oprowner::regrole) FROM pg_operator WHERE ${own('pg_operator')}`,
];

function sorted(acl: string): string {
  return `(SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(${acl}) a)`;
}
