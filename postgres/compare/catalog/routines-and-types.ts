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

/** Input types alone: what PostgreSQL tells overloaded routines apart by. */
export const ROUTINE_NAME = `${qualified('n.nspname', 'p.proname')} || '(' || coalesce((
    SELECT pg_catalog.string_agg(pg_catalog.format_type(a.type, NULL), ', ' ORDER BY a.position)
      FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY AS a(type, position)), '') || ')'`;

export const ROUTINE_KIND = `CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END`;

/** The parts instead of pg_get_functiondef, whose text differs between majors. */
const routines: Section = (major) => `
  SELECT ${ROUTINE_KIND} || ' ' || ${ROUTINE_NAME} AS identity,
         ${definition({
           kind: 'p.prokind',
           arguments: `(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', p.proargmodes[a.position],
                          p.proargnames[a.position], pg_catalog.format_type(a.type, NULL)), ', ' ORDER BY a.position)
                          FROM pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::pg_catalog.oid[]))
                               WITH ORDINALITY AS a(type, position))`,
           '~defaults': 'pg_catalog.pg_get_expr(p.proargdefaults, 0)',
           'number of defaults': 'nullif(p.pronargdefaults, 0)',
           returns: 'pg_catalog.format_type(p.prorettype, NULL)',
           'returns set': flag('p.proretset'),
           language: `(SELECT lanname FROM pg_catalog.pg_language l WHERE l.oid = p.prolang)`,
           body: `CASE WHEN p.prokind <> 'a' THEN p.prosrc END`,
           '~body': since(14, major, 'pg_catalog.pg_get_function_sqlbody(p.oid)'),
           library: 'p.probin',
           volatility: 'p.provolatile',
           parallel: 'p.proparallel',
           strict: flag('p.proisstrict'),
           'security definer': flag('p.prosecdef'),
           leakproof: flag('p.proleakproof'),
           cost: 'p.procost',
           rows: 'nullif(p.prorows, 0)',
           settings: sorted('p.proconfig'),
           support: since(12, major, `nullif(p.prosupport, 0)::pg_catalog.regproc`),
         })} AS definition
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_proc', 'p.oid')}
         -- a range type's constructors come with it
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
                        AND d.deptype = 'i')`;

const aggregates: Section = () => {
  const routine = (name: string) => `nullif(g.${name}, 0)::pg_catalog.regprocedure`;
  return `
  SELECT 'aggregate ' || ${ROUTINE_NAME} || ' parts' AS identity,
         ${definition({
           kind: 'g.aggkind',
           'direct arguments': 'g.aggnumdirectargs',
           sfunc: routine('aggtransfn'),
           finalfunc: routine('aggfinalfn'),
           combinefunc: routine('aggcombinefn'),
           serialfunc: routine('aggserialfn'),
           deserialfunc: routine('aggdeserialfn'),
           msfunc: routine('aggmtransfn'),
           minvfunc: routine('aggminvtransfn'),
           mfinalfunc: routine('aggmfinalfn'),
           stype: 'pg_catalog.format_type(g.aggtranstype, NULL)',
           mstype: 'pg_catalog.format_type(nullif(g.aggmtranstype, 0), NULL)',
           initcond: 'g.agginitval',
           minitcond: 'g.aggminitval',
           sortop: 'nullif(g.aggsortop, 0)::pg_catalog.regoperator',
           'final function': `pg_catalog.concat_ws(' ', g.aggfinalextra, g.aggfinalmodify, g.aggmfinalextra, g.aggmfinalmodify)`,
         })} AS definition
    FROM pg_catalog.pg_aggregate g
    JOIN pg_catalog.pg_proc p ON p.oid = g.aggfnoid
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_proc', 'p.oid')}`;
};

/** Without arrays, multiranges and the row types of tables, which come with their own. */
export const USER_TYPES = `pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace AND ${userSchema('n.nspname')}
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
   WHERE ${notOfExtension('pg_type', 't.oid')} AND t.typtype <> 'm' AND e.typarray IS DISTINCT FROM t.oid
     AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))`;

const types: Section = () => {
  const isBase = `t.typtype = 'b'`;
  const routine = (name: string) => `CASE WHEN ${isBase} THEN nullif(t.${name}, 0)::pg_catalog.regproc END`;
  const inRange = (sql: string) => `(SELECT ${sql} FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)`;
  return `
  SELECT CASE t.typtype WHEN 'd' THEN 'domain ' ELSE 'type ' END || ${qualified('n.nspname', 't.typname')} AS identity,
         ${definition({
           kind: 't.typtype',
           labels: `(SELECT pg_catalog.string_agg(pg_catalog.quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
                       FROM pg_catalog.pg_enum l WHERE l.enumtypid = t.oid)`,
           base: `CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END`,
           'not null': flag('t.typnotnull'),
           '~default': `CASE WHEN t.typdefaultbin IS NULL THEN t.typdefault
                             ELSE pg_catalog.pg_get_expr(t.typdefaultbin, 0) END`,
           collation: `(SELECT c.collname FROM pg_catalog.pg_collation c WHERE c.oid = t.typcollation)`,
           input: routine('typinput'),
           output: routine('typoutput'),
           receive: routine('typreceive'),
           send: routine('typsend'),
           'typmod in': routine('typmodin'),
           'typmod out': routine('typmodout'),
           length: `CASE WHEN ${isBase} THEN pg_catalog.concat_ws(' ', t.typlen, t.typbyval, t.typalign, t.typstorage) END`,
           category: `CASE WHEN ${isBase} THEN pg_catalog.concat_ws(' ', t.typcategory, t.typispreferred, t.typdelim) END`,
           subtype: inRange('pg_catalog.format_type(r.rngsubtype, NULL)'),
           'range collation': inRange(
             '(SELECT c.collname FROM pg_catalog.pg_collation c WHERE c.oid = r.rngcollation)',
           ),
           'operator class': inRange(
             '(SELECT o.opcname FROM pg_catalog.pg_opclass o WHERE o.oid = r.rngsubopc)',
           ),
           canonical: inRange(`nullif(r.rngcanonical, 0)::pg_catalog.regproc`),
           difference: inRange(`nullif(r.rngsubdiff, 0)::pg_catalog.regproc`),
         })} AS definition
    FROM ${USER_TYPES}`;
};

const domainConstraints: Section = () => `
  SELECT 'constraint ' || ${quoted('o.conname')} || ' on domain ' || ${qualified('n.nspname', 't.typname')} AS identity,
         ${definition({ '~definition': 'pg_catalog.pg_get_constraintdef(o.oid)', 'not valid': flag('NOT o.convalidated') })}
           AS definition
    FROM pg_catalog.pg_constraint o
    JOIN pg_catalog.pg_type t ON t.oid = o.contypid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace AND ${userSchema('n.nspname')}
         -- NOT NULL is the domain's own: it has rows here from 17 on
   WHERE o.contype <> 'n' AND ${notOfExtension('pg_type', 't.oid')}`;

export const TYPE_SECTIONS: Section[] = [types, domainConstraints];

export const ROUTINE_AND_TYPE_SECTIONS: Section[] = [routines, aggregates, ...TYPE_SECTIONS];
