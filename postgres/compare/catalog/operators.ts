import { definition, flag, notOfExtension, qualified, userSchema, type Section } from './section';

const operators: Section = () => `
  SELECT 'operator ' || ${qualified('n.nspname', 'o.oprname')} || '(' || pg_catalog.format_type(nullif(o.oprleft, 0), NULL)
         || ', ' || pg_catalog.format_type(nullif(o.oprright, 0), NULL) || ')' AS identity,
         ${definition({
           function: 'o.oprcode::pg_catalog.regprocedure',
           commutator: 'nullif(o.oprcom, 0)::pg_catalog.regoperator',
           negator: 'nullif(o.oprnegate, 0)::pg_catalog.regoperator',
           restrict: 'nullif(o.oprrest, 0)::pg_catalog.regprocedure',
           join: 'nullif(o.oprjoin, 0)::pg_catalog.regprocedure',
           hashes: flag('o.oprcanhash'),
           merges: flag('o.oprcanmerge'),
         })} AS definition
    FROM pg_catalog.pg_operator o
    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_operator', 'o.oid')}`;

const operatorFamilies: Section = () => `
  SELECT 'operator family ' || ${qualified('n.nspname', 'f.opfname')} || ' using ' || m.amname AS identity,
         ${definition({
           operators: `(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.amopstrategy,
                                 a.amopopr::pg_catalog.regoperator, a.amoppurpose), ', ' ORDER BY a.amopstrategy, a.amopopr::pg_catalog.regoperator::text)
                          FROM pg_catalog.pg_amop a WHERE a.amopfamily = f.oid)`,
           functions: `(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.amprocnum, a.amproc::pg_catalog.oid::pg_catalog.regprocedure),
                                 ', ' ORDER BY a.amprocnum, a.amproc::pg_catalog.oid::pg_catalog.regprocedure::text)
                          FROM pg_catalog.pg_amproc a WHERE a.amprocfamily = f.oid)`,
         })} AS definition
    FROM pg_catalog.pg_opfamily f
    JOIN pg_catalog.pg_am m ON m.oid = f.opfmethod
    JOIN pg_catalog.pg_namespace n ON n.oid = f.opfnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_opfamily', 'f.oid')}`;

const operatorClasses: Section = () => `
  SELECT 'operator class ' || ${qualified('n.nspname', 'o.opcname')} || ' using ' || m.amname AS identity,
         ${definition({
           type: 'pg_catalog.format_type(o.opcintype, NULL)',
           'stored as': 'pg_catalog.format_type(nullif(o.opckeytype, 0), NULL)',
           default: flag('o.opcdefault'),
           family: `(SELECT ${qualified('fn.nspname', 'f.opfname')} FROM pg_catalog.pg_opfamily f
                       JOIN pg_catalog.pg_namespace fn ON fn.oid = f.opfnamespace WHERE f.oid = o.opcfamily)`,
         })} AS definition
    FROM pg_catalog.pg_opclass o
    JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
    JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_opclass', 'o.oid')}`;

/** Below 16384 are the server's own. */
const casts: Section = () => `
  SELECT 'cast (' || pg_catalog.format_type(c.castsource, NULL) || ' AS ' || pg_catalog.format_type(c.casttarget, NULL)
         || ')' AS identity,
         ${definition({
           function: 'nullif(c.castfunc, 0)::pg_catalog.regprocedure',
           context: 'c.castcontext',
           method: 'c.castmethod',
         })} AS definition
    FROM pg_catalog.pg_cast c
   WHERE c.oid >= 16384 AND ${notOfExtension('pg_cast', 'c.oid')}
         -- a range type's cast to its multirange comes with it from 14 on
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND d.objid = c.oid
                        AND d.deptype = 'i')`;

const collations: Section = (major) => {
  const locale = major >= 17 ? 'c.colllocale' : major >= 15 ? 'c.colliculocale' : 'NULL';
  return `
  SELECT 'collation ' || ${qualified('n.nspname', 'c.collname')} AS identity,
         ${definition({
           provider: 'c.collprovider',
           locale: `coalesce(${locale}, c.collcollate)`,
           ctype: `CASE WHEN c.collprovider = 'c' THEN c.collctype END`,
           nondeterministic: major >= 12 ? flag('NOT c.collisdeterministic') : 'NULL',
         })} AS definition
    FROM pg_catalog.pg_collation c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_collation', 'c.oid')}`;
};

const conversions: Section = () => `
  SELECT 'conversion ' || ${qualified('n.nspname', 'c.conname')} AS identity,
         ${definition({
           from: 'pg_catalog.pg_encoding_to_char(c.conforencoding)',
           to: 'pg_catalog.pg_encoding_to_char(c.contoencoding)',
           function: 'c.conproc::pg_catalog.regprocedure',
           default: flag('c.condefault'),
         })} AS definition
    FROM pg_catalog.pg_conversion c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_conversion', 'c.oid')}`;

export const OPERATOR_SECTIONS: Section[] = [
  operators,
  operatorFamilies,
  operatorClasses,
  casts,
  collations,
  conversions,
];
