import { isNotManaged, isNotOurs } from '../../catalog';
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

const database: Section = (major) => `
  SELECT 'database' AS identity,
         ${definition({
           encoding: 'pg_catalog.pg_encoding_to_char(d.encoding)',
           // en_US.UTF-8 and en_US.utf8 are one locale
           collate: localeName('d.datcollate'),
           ctype: localeName('d.datctype'),
           provider: since(15, major, `nullif(d.datlocprovider, 'c')`),
           locale: major >= 17 ? 'd.datlocale' : since(15, major, 'd.daticulocale'),
           'connection limit': 'nullif(d.datconnlimit, -1)',
         })} AS definition
    FROM pg_catalog.pg_database d
   WHERE d.datname = pg_catalog.current_database()`;

function localeName(sql: string): string {
  return `pg_catalog.replace(pg_catalog.lower(${sql}), 'utf-8', 'utf8')`;
}

/** ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET. */
const settings: Section = () => `
  SELECT CASE WHEN s.setrole = 0 THEN 'settings of the database'
              ELSE 'settings of role ' || ${quoted('pg_catalog.pg_get_userbyid(s.setrole)')} || ' in the database' END
           AS identity,
         ${definition({ settings: sorted('s.setconfig') })} AS definition
    FROM pg_catalog.pg_db_role_setting s
    JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
   WHERE d.datname = pg_catalog.current_database()`;

const schemas: Section = () => `
  SELECT 'schema ' || ${quoted('n.nspname')} AS identity, '{}'::pg_catalog.jsonb AS definition
    FROM pg_catalog.pg_namespace n
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_namespace', 'n.oid')}`;

/** Their versions may differ: the target installs what it has. */
const extensions: Section = () => `
  SELECT 'extension ' || ${quoted('e.extname')} AS identity, ${definition({ schema: 'n.nspname' })} AS definition
    FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
   WHERE ${isNotManaged('e.extname')}`;

const statistics: Section = (major) => `
  SELECT 'statistics ' || ${qualified('n.nspname', 's.stxname')} AS identity,
         ${definition({
           '~definition': 'pg_catalog.pg_get_statisticsobjdef(s.oid)',
           'statistics target': since(13, major, 'nullif(s.stxstattarget, -1)'),
         })} AS definition
    FROM pg_catalog.pg_statistic_ext s
    JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_statistic_ext', 's.oid')}`;

const eventTriggers: Section = () => `
  SELECT 'event trigger ' || ${quoted('e.evtname')} AS identity,
         ${definition({
           event: 'e.evtevent',
           tags: sorted('e.evttags'),
           function: 'e.evtfoid::pg_catalog.regprocedure',
           enabled: `nullif(e.evtenabled, 'O')`,
         })} AS definition
    FROM pg_catalog.pg_event_trigger e
   WHERE ${notOfExtension('pg_event_trigger', 'e.oid')}`;

const publications: Section = (major) => `
  SELECT 'publication ' || ${quoted('p.pubname')} AS identity,
         ${definition({
           'all tables': flag('p.puballtables'),
           publish: `pg_catalog.concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END,
                       CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END,
                       CASE WHEN p.pubtruncate THEN 'truncate' END)`,
           'via root': since(13, major, flag('p.pubviaroot')),
           'generated columns': since(18, major, `nullif(p.pubgencols, 'n')`),
           schemas: since(
             15,
             major,
             `(SELECT pg_catalog.string_agg(n.nspname, ', ' ORDER BY n.nspname)
                 FROM pg_catalog.pg_publication_namespace pn
                 JOIN pg_catalog.pg_namespace n ON n.oid = pn.pnnspid WHERE pn.pnpubid = p.oid)`,
           ),
           '~tables': `(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', ${qualified('n.nspname', 'c.relname')}, ${since(
             15,
             major,
             `pr.prattrs::pg_catalog.text, pg_catalog.pg_get_expr(pr.prqual, pr.prrelid)`,
           )}), ', ' ORDER BY n.nspname, c.relname)
                        FROM pg_catalog.pg_publication_rel pr
                        JOIN pg_catalog.pg_class c ON c.oid = pr.prrelid
                        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE pr.prpubid = p.oid)`,
         })} AS definition
    FROM pg_catalog.pg_publication p
   WHERE ${isNotOurs('p.pubname')} AND ${notOfExtension('pg_publication', 'p.oid')}`;

const languages: Section = () => `
  SELECT 'language ' || ${quoted('l.lanname')} AS identity,
         ${definition({ trusted: flag('l.lanpltrusted'), handler: 'nullif(l.lanplcallfoid, 0)::pg_catalog.regproc' })}
           AS definition
    FROM pg_catalog.pg_language l
   WHERE l.oid >= 16384 AND ${notOfExtension('pg_language', 'l.oid')}`;

const accessMethods: Section = () => `
  SELECT 'access method ' || ${quoted('m.amname')} AS identity,
         ${definition({ type: 'm.amtype', handler: 'm.amhandler' })} AS definition
    FROM pg_catalog.pg_am m
   WHERE m.oid >= 16384 AND ${notOfExtension('pg_am', 'm.oid')}`;

const foreignDataWrappers: Section = () => `
  SELECT 'foreign data wrapper ' || ${quoted('w.fdwname')} AS identity,
         ${definition({
           handler: 'nullif(w.fdwhandler, 0)::pg_catalog.regproc',
           validator: 'nullif(w.fdwvalidator, 0)::pg_catalog.regproc',
           options: sorted('w.fdwoptions'),
         })} AS definition
    FROM pg_catalog.pg_foreign_data_wrapper w
   WHERE ${notOfExtension('pg_foreign_data_wrapper', 'w.oid')}`;

const servers: Section = () => `
  SELECT 'server ' || ${quoted('s.srvname')} AS identity,
         ${definition({
           type: 's.srvtype',
           version: 's.srvversion',
           wrapper: `(SELECT w.fdwname FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.oid = s.srvfdw)`,
           options: sorted('s.srvoptions'),
         })} AS definition
    FROM pg_catalog.pg_foreign_server s
   WHERE ${notOfExtension('pg_foreign_server', 's.oid')}`;

/** Their options hold passwords, and show themselves to few: that they exist is all that is compared. */
const userMappings: Section = () => `
  SELECT 'user mapping for ' || ${quoted('m.usename')} || ' on server ' || ${quoted('m.srvname')} AS identity,
         '{}'::pg_catalog.jsonb AS definition
    FROM pg_catalog.pg_user_mappings m`;

const textSearchConfigurations: Section = () => `
  SELECT 'text search configuration ' || ${qualified('n.nspname', 'c.cfgname')} AS identity,
         ${definition({
           parser: `(SELECT p.prsname FROM pg_catalog.pg_ts_parser p WHERE p.oid = c.cfgparser)`,
           mappings: `(SELECT pg_catalog.string_agg(m.maptokentype || ':' || m.mapdict::pg_catalog.regdictionary, ', '
                                                    ORDER BY m.maptokentype, m.mapseqno)
                         FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = c.oid)`,
         })} AS definition
    FROM pg_catalog.pg_ts_config c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_ts_config', 'c.oid')}`;

const textSearchDictionaries: Section = () => `
  SELECT 'text search dictionary ' || ${qualified('n.nspname', 'd.dictname')} AS identity,
         ${definition({
           template: `(SELECT t.tmplname FROM pg_catalog.pg_ts_template t WHERE t.oid = d.dicttemplate)`,
           options: 'd.dictinitoption',
         })} AS definition
    FROM pg_catalog.pg_ts_dict d
    JOIN pg_catalog.pg_namespace n ON n.oid = d.dictnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_ts_dict', 'd.oid')}`;

const textSearchTemplates: Section = () => `
  SELECT 'text search template ' || ${qualified('n.nspname', 't.tmplname')} AS identity,
         ${definition({ init: 'nullif(t.tmplinit, 0)::pg_catalog.regproc', lexize: 't.tmpllexize' })} AS definition
    FROM pg_catalog.pg_ts_template t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.tmplnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_ts_template', 't.oid')}`;

const textSearchParsers: Section = () => `
  SELECT 'text search parser ' || ${qualified('n.nspname', 'p.prsname')} AS identity,
         ${definition({ start: 'p.prsstart', token: 'p.prstoken', end: 'p.prsend', types: 'p.prslextype' })} AS definition
    FROM pg_catalog.pg_ts_parser p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.prsnamespace
   WHERE ${userSchema('n.nspname')} AND ${notOfExtension('pg_ts_parser', 'p.oid')}`;

export const DATABASE_SECTIONS: Section[] = [
  database,
  settings,
  schemas,
  extensions,
  statistics,
  eventTriggers,
  publications,
  languages,
  accessMethods,
  foreignDataWrappers,
  servers,
  userMappings,
  textSearchConfigurations,
  textSearchDictionaries,
  textSearchTemplates,
  textSearchParsers,
];
