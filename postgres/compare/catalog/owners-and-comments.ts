import { isDumpedIndex, isNotOurs, isProvidersRole } from '../../catalog';
import { RELATION_KIND, USER_RELATIONS } from './relations';
import { ROUTINE_KIND, ROUTINE_NAME, USER_TYPES } from './routines-and-types';
import { definition, notOfExtension, qualified, quoted, userSchema, type Section } from './section';

/** Objects with an owner and a schema, but without privileges: kind, catalog and the prefix of its columns. */
const OWNED_ONLY = (
  [
    ['statistics', 'pg_statistic_ext', 'stx'],
    ['collation', 'pg_collation', 'coll'],
    ['conversion', 'pg_conversion', 'con'],
    ['text search configuration', 'pg_ts_config', 'cfg'],
    ['text search dictionary', 'pg_ts_dict', 'dict'],
  ] as const
).map(
  ([kind, catalog, prefix]) => `
  UNION ALL
  SELECT '${kind} ' || ${qualified('n.nspname', `o.${prefix}name`)}, o.${prefix}owner, NULL, NULL
    FROM pg_catalog.${catalog} o
    JOIN pg_catalog.pg_namespace n ON n.oid = o.${prefix}namespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension(catalog, 'o.oid')}`,
);

/** What a provider's role was granted stays behind, unless it is the owner. */
function isKept(grantee: string, owner: string): string {
  return `(${grantee} = ${owner} OR NOT ${isProvidersRole(grantee)})`;
}

/** Everything with an owner or privileges: what it is called, its owner, its privileges and their kind in `acldefault`. */
const OWNED = `
  SELECT ${RELATION_KIND} || ' ' || ${qualified('n.nspname', 'c.relname')} AS identity, c.relowner AS owner,
         c.relacl AS acl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END AS kind
    FROM ${USER_RELATIONS}
   WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
  UNION ALL
  SELECT 'column ' || ${qualified('n.nspname', 'c.relname')} || '.' || ${quoted('a.attname')}, c.relowner, a.attacl, 'c'
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
   WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
     AND EXISTS (SELECT FROM pg_catalog.aclexplode(a.attacl) AS e WHERE ${isKept('e.grantee', 'c.relowner')})
  UNION ALL
  SELECT ${ROUTINE_KIND} || ' ' || ${ROUTINE_NAME}, p.proowner, p.proacl, 'f'
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_proc', 'p.oid')}
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i')
  UNION ALL
  SELECT CASE t.typtype WHEN 'd' THEN 'domain ' ELSE 'type ' END || ${qualified('n.nspname', 't.typname')},
         t.typowner, t.typacl, 'T'
    FROM ${USER_TYPES}
  UNION ALL
  SELECT 'schema ' || ${quoted('n.nspname')}, n.nspowner, n.nspacl, 'n'
    FROM pg_catalog.pg_namespace n
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_namespace', 'n.oid')}
  UNION ALL
  SELECT 'database', d.datdba, d.datacl, 'd' FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
  UNION ALL
  SELECT 'foreign data wrapper ' || ${quoted('w.fdwname')}, w.fdwowner, w.fdwacl, 'F'
    FROM pg_catalog.pg_foreign_data_wrapper w WHERE ${notOfExtension('pg_foreign_data_wrapper', 'w.oid')}
  UNION ALL
  SELECT 'server ' || ${quoted('s.srvname')}, s.srvowner, s.srvacl, 'S'
    FROM pg_catalog.pg_foreign_server s WHERE ${notOfExtension('pg_foreign_server', 's.oid')}
  UNION ALL
  SELECT 'language ' || ${quoted('l.lanname')}, l.lanowner, l.lanacl, 'l'
    FROM pg_catalog.pg_language l WHERE l.oid >= 16384 AND ${notOfExtension('pg_language', 'l.oid')}
  UNION ALL
  SELECT 'event trigger ' || ${quoted('e.evtname')}, e.evtowner, NULL, NULL
    FROM pg_catalog.pg_event_trigger e WHERE ${notOfExtension('pg_event_trigger', 'e.oid')}
  UNION ALL
  SELECT 'publication ' || ${quoted('p.pubname')}, p.pubowner, NULL, NULL
    FROM pg_catalog.pg_publication p
   WHERE ${isNotOurs('p.pubname')} AND ${notOfExtension('pg_publication', 'p.oid')}
  ${OWNED_ONLY.join('')}`;

/**
 * Grantee, privilege and grant option of each grant. Privileges nobody ever granted are the defaults, written out. The
 * owner's name is left to the owner's own entry, and the grantor out: who may grant for whom is not the migration's.
 */
function grants(acl: string, owner: string, kept = 'true'): string {
  return `(SELECT pg_catalog.string_agg(g.item, ', ' ORDER BY g.item COLLATE "C")
             FROM (SELECT pg_catalog.concat(
                            CASE e.grantee WHEN 0 THEN 'PUBLIC' WHEN ${owner} THEN '<owner>'
                                           ELSE ${quoted('pg_catalog.pg_get_userbyid(e.grantee)')} END,
                            ': ', e.privilege_type,
                            CASE WHEN pg_catalog.bool_or(e.is_grantable) AND e.grantee <> ${owner}
                                 THEN ' WITH GRANT OPTION' END) AS item
                     FROM pg_catalog.aclexplode(${acl}) AS e
                    WHERE ${kept}
                    -- a privilege by two grantors is one
                    GROUP BY e.grantee, e.privilege_type) AS g)`;
}

const owners: Section = () => `
  SELECT 'owner of ' || identity AS identity, ${definition({ owner: 'pg_catalog.pg_get_userbyid(owner)' })} AS definition
    FROM (${OWNED}) AS owned
   WHERE owner IS NOT NULL AND kind IS DISTINCT FROM 'c'`;

const privileges: Section = () => `
  SELECT 'privileges of ' || identity AS identity,
         ${definition({
           privileges: grants(
             `coalesce(acl, CASE WHEN owner IS NOT NULL THEN pg_catalog.acldefault(kind::"char", owner) END)`,
             'coalesce(owner, 0)',
             isKept('e.grantee', 'coalesce(owner, 0)'),
           ),
         })} AS definition
    FROM (${OWNED}) AS owned
   WHERE kind IS NOT NULL`;

const defaultPrivileges: Section = () => `
  SELECT 'default privileges of role ' || ${quoted('pg_catalog.pg_get_userbyid(d.defaclrole)')} || ' on '
         || CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
              WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END
         || coalesce(' in schema ' || ${quoted('n.nspname')}, '') AS identity,
         ${definition({ privileges: grants('d.defaclacl', 'd.defaclrole') })} AS definition
    FROM pg_catalog.pg_default_acl d
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace`;

/**
 * Of everything a user made, parts of extensions excepted. The comment of an extension comes with its version. The
 * server's own objects are told by their oid, but for schema public.
 */
const comments: Section = () => `
  SELECT 'comment on ' || o.type || ' ' || o.identity AS identity, ${definition({ comment: 'd.description' })} AS definition
    FROM pg_catalog.pg_description d
   CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o
    LEFT JOIN pg_catalog.pg_namespace n
           ON n.oid = d.objoid AND d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
   WHERE (d.objoid >= 16384 OR n.nspname = 'public')
     AND d.classoid <> 'pg_catalog.pg_extension'::pg_catalog.regclass
     AND coalesce(o.schema, '') <> 'flexlift' AND n.nspname IS DISTINCT FROM 'flexlift'
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication p
                      WHERE d.classoid = 'pg_catalog.pg_publication'::pg_catalog.regclass AND d.objoid = p.oid
                        AND NOT (${isNotOurs('p.pubname')}))
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
                      WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = i.indexrelid
                        AND NOT (${isDumpedIndex('i', 'c')}))
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend member
                      WHERE member.classid = d.classoid AND member.objid = d.objoid AND member.deptype = 'e')
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend part
                       JOIN pg_catalog.pg_depend member ON member.classid = part.refclassid
                        AND member.objid = part.refobjid AND member.deptype = 'e'
                      WHERE part.classid = d.classoid AND part.objid = d.objoid AND part.deptype IN ('a', 'i'))
  UNION ALL
  SELECT 'comment on database', ${definition({ comment: 's.description' })}
    FROM pg_catalog.pg_shdescription s
    JOIN pg_catalog.pg_database d ON d.oid = s.objoid AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
   WHERE d.datname = pg_catalog.current_database()`;

const securityLabels: Section = () => `
  SELECT 'security label of ' || l.provider || ' on ' || l.objtype || ' ' || l.objname AS identity,
         ${definition({ label: 'l.label' })} AS definition
    FROM pg_catalog.pg_seclabels l
   WHERE l.objtype NOT IN ('database', 'role', 'tablespace')`;

export const OWNER_SECTIONS: Section[] = [owners];
export const PRIVILEGE_SECTIONS: Section[] = [privileges, defaultPrivileges];
export const COMMENT_SECTIONS: Section[] = [comments, securityLabels];
