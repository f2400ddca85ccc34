import { ALTERED_IDENTITIES, isDumpedIndex } from '../../catalog';
import {
  definition,
  flag,
  notOfExtension,
  qualified,
  quoted,
  since,
  sorted,
  userSchema,
  type Section,
} from './section';

/** Tables, partitions, foreign tables, views and materialized views. */
const relations: Section = (major) => `
  SELECT ${RELATION_KIND} || ' ' || ${NAME} AS identity,
         ${definition({
           partitioned: flag(`c.relkind = 'p'`),
           persistence: `nullif(c.relpersistence, 'p')`,
           '~partition key': `CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END`,
           '~partition bound': `CASE WHEN c.relispartition THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END`,
           parents: `(SELECT pg_catalog.string_agg(${qualified('pn.nspname', 'p.relname')}, ', ' ORDER BY i.inhseqno)
                        FROM pg_catalog.pg_inherits i
                        JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
                        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
                       WHERE i.inhrelid = c.oid)`,
           'of type': `CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END`,
           'row security': flag('c.relrowsecurity'),
           'forced row security': flag('c.relforcerowsecurity'),
           // an index says it itself; without it, a dump knows nothing of it
           'replica identity': `CASE WHEN c.relkind IN ('r', 'p') THEN
              nullif(nullif(coalesce(altered.previous, c.relreplident::pg_catalog.text), 'i'), 'd') END`,
           options: sorted('c.reloptions'),
           'toast options': `(SELECT ${sorted('t.reloptions')} FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid)`,
           // a partitioned table has none before 17
           'access method': since(
             12,
             major,
             `(SELECT nullif(m.amname, 'heap') FROM pg_catalog.pg_am m WHERE m.oid = c.relam AND c.relkind IN ('r', 'm'))`,
           ),
           server: `(SELECT s.srvname FROM pg_catalog.pg_foreign_table f
                       JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid)`,
           'server options': `(SELECT ${sorted('f.ftoptions')} FROM pg_catalog.pg_foreign_table f WHERE f.ftrelid = c.oid)`,
           '~query': `CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END`,
         })} AS definition
    FROM ${USER_RELATIONS}
    ${OWN_IDENTITIES}
   WHERE ${ARE_RELATIONS}`;

const columns: Section = (major) => `
  SELECT 'column ' || ${NAME} || '.' || ${quoted('a.attname')} AS identity,
         ${definition({
           // a child's own columns go behind the inherited ones when it is created anew
           position: `CASE WHEN c.relispartition OR NOT EXISTS (
                        SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
                      THEN pg_catalog.row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) END`,
           type: 'pg_catalog.format_type(a.atttypid, a.atttypmod)',
           'not null': flag('a.attnotnull'),
           '~default': 'pg_catalog.pg_get_expr(d.adbin, d.adrelid)',
           identity: `nullif(a.attidentity, '')`,
           generated: since(12, major, `nullif(a.attgenerated, '')`),
           collation: `CASE WHEN a.attcollation <> t.typcollation THEN
                         (SELECT ${qualified('on_.nspname', 'o.collname')} FROM pg_catalog.pg_collation o
                            JOIN pg_catalog.pg_namespace on_ ON on_.oid = o.collnamespace
                           WHERE o.oid = a.attcollation) END`,
           storage: `CASE WHEN c.relkind IN ('r', 'p', 'm', 'f') THEN nullif(a.attstorage, t.typstorage) END`,
           compression: since(14, major, `nullif(a.attcompression, '')`),
           // "as the server thinks fit" is -1 before 17 and NULL from then on
           'statistics target': 'nullif(a.attstattarget, -1)',
           // PostgreSQL 15.20 keeps a mark of its own among them, and another after each change of a column's type
           options: sorted(
             `ARRAY(SELECT o FROM pg_catalog.unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg\\_attver=%')`,
           ),
           'server options': sorted('a.attfdwoptions'),
         })} AS definition
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
   WHERE ${ARE_RELATIONS} OR c.relkind = 'c'`;

const constraints: Section = () => `
  SELECT 'constraint ' || ${quoted('o.conname')} || ' on ' || ${NAME} AS identity,
         ${definition({ '~definition': 'pg_catalog.pg_get_constraintdef(o.oid)', 'not valid': flag('NOT o.convalidated') })}
           AS definition
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_constraint o ON o.conrelid = c.oid
         -- NOT NULL is the column's: it has rows here from 18 on; constraint triggers are triggers
   WHERE o.contype NOT IN ('n', 't')
         -- the server makes a foreign key's copies for partitions, under names of its own
     AND NOT (o.contype = 'f' AND o.conparentid <> 0)`;

const indexes: Section = () => `
  SELECT 'index ' || ${qualified('n.nspname', 'x.relname')} AS identity,
         ${definition({
           '~definition': 'pg_catalog.pg_get_indexdef(i.indexrelid)',
           invalid: flag('NOT i.indisvalid'),
           clustered: flag('i.indisclustered'),
           'replica identity': flag('i.indisreplident AND altered."table" IS NULL'),
           'attached to': `(SELECT ${qualified('pn.nspname', 'p.relname')} FROM pg_catalog.pg_inherits h
                              JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
                              JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
                             WHERE h.inhrelid = i.indexrelid)`,
           'statistics targets': `(SELECT pg_catalog.string_agg(a.attnum || ':' || a.attstattarget, ', ' ORDER BY a.attnum)
                                     FROM pg_catalog.pg_attribute a
                                    WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)`,
         })} AS definition
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    ${OWN_IDENTITIES}
   WHERE c.relkind IN ('r', 'p', 'm') AND ${isDumpedIndex('i', 'c')}`;

const sequences: Section = () => `
  SELECT 'sequence ' || ${NAME} AS identity,
         ${definition({
           type: 'pg_catalog.format_type(s.seqtypid, NULL)',
           start: 's.seqstart',
           increment: 's.seqincrement',
           minimum: 's.seqmin',
           maximum: 's.seqmax',
           cache: 's.seqcache',
           cycle: flag('s.seqcycle'),
           persistence: `nullif(c.relpersistence, 'p')`,
           'owned by': `(SELECT ${qualified('tn.nspname', 't.relname')} || '.' || ${quoted('a.attname')}
                           FROM pg_catalog.pg_depend d
                           JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
                           JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
                           JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
                          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i'))`,
         })} AS definition
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid`;

/** Row triggers of a partitioned table have copies on its partitions, told by a dependency on their parent. */
const triggers: Section = () => `
  SELECT 'trigger ' || ${quoted('t.tgname')} || ' on ' || ${NAME} AS identity,
         ${definition({ '~definition': 'pg_catalog.pg_get_triggerdef(t.oid)', enabled: `nullif(t.tgenabled, 'O')` })}
           AS definition
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
   WHERE NOT t.tgisinternal
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.objid = t.oid
                        AND d.refclassid = 'pg_catalog.pg_trigger'::pg_catalog.regclass)`;

/** What somebody switched on one partition alone. Below 15 all copies are internal, as the triggers of constraints are. */
const partitionTriggers: Section = () => `
  SELECT 'trigger ' || ${quoted('t.tgname')} || ' on partition ' || ${NAME} AS identity,
         ${definition({ enabled: 't.tgenabled' })} AS definition
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
    -- tgparentid exists from 13 on
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.objid = t.oid
    JOIN pg_catalog.pg_trigger parent
      ON d.refclassid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND parent.oid = d.refobjid
   WHERE t.tgenabled <> parent.tgenabled
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint x WHERE x.oid = t.tgconstraint AND x.contype <> 't')`;

const rules: Section = () => `
  SELECT 'rule ' || ${quoted('r.rulename')} || ' on ' || ${NAME} AS identity,
         ${definition({ '~definition': 'pg_catalog.pg_get_ruledef(r.oid)', enabled: `nullif(r.ev_enabled, 'O')` })}
           AS definition
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
   WHERE r.rulename <> '_RETURN'`;

const policies: Section = () => `
  SELECT 'policy ' || ${quoted('p.polname')} || ' on ' || ${NAME} AS identity,
         ${definition({
           command: 'p.polcmd',
           restrictive: flag('NOT p.polpermissive'),
           roles: `(SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(r) END, ', '
                                                 ORDER BY pg_catalog.pg_get_userbyid(r))
                      FROM pg_catalog.unnest(p.polroles) AS r)`,
           '~using': 'pg_catalog.pg_get_expr(p.polqual, p.polrelid)',
           '~check': 'pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)',
         })} AS definition
    FROM ${USER_RELATIONS}
    JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid`;

const NAME = qualified('n.nspname', 'c.relname');

/** The replica identities that tables had before a migration of ours set others, and will have again. */
const OWN_IDENTITIES = `LEFT JOIN ${ALTERED_IDENTITIES} AS altered
      ON altered."table" = c.oid AND altered.ours = c.relreplident::pg_catalog.text`;

const ARE_RELATIONS = `c.relkind IN ('r', 'p', 'f', 'v', 'm')`;

export const RELATION_KIND = `CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
  WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' ELSE 'table' END`;

export const USER_RELATIONS = `pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n
      ON n.oid = c.relnamespace AND ${userSchema('n.nspname')} AND c.relpersistence <> 't'
     AND ${notOfExtension('pg_class', 'c.oid')}`;

/** Not of tables alone. */
export const TABLE_SECTIONS: Section[] = [relations, columns, constraints];

export const RELATION_SECTIONS: Section[] = [
  ...TABLE_SECTIONS,
  indexes,
  sequences,
  triggers,
  partitionTriggers,
  rules,
  policies,
];
