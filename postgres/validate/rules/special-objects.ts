import type { MigrationMode } from '../../../contract';
import { bringsRows, isDumpedIndex, isNotManaged, isUserMade } from '../../catalog';
import { WAS_GRANTED } from '../granted';
import { enumerate, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';

interface Notice {
  /** The only mode in which it is given; absent: both. */
  mode?: MigrationMode;
  query: string;
  message: (names: string) => string;
  remedy: string;
}

const SUBSCRIPTIONS = `SELECT pg_catalog.quote_ident(o.subname) AS name FROM pg_catalog.pg_subscription o
             WHERE o.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d
                                 WHERE d.datname = pg_catalog.current_database()) ORDER BY 1`;

/** Nothing is wrong with these, but a person should know what becomes of them. Each query gives one name a row. */
const NOTICES: Notice[] = [
  {
    query: `SELECT o.oid::pg_catalog.regclass::text AS name FROM pg_catalog.pg_class o
             WHERE o.relkind = 'f' AND ${isUserMade('o')} ORDER BY 1`,
    message: (names) => `Foreign tables come without rows, which stay where they are: ${names}.`,
    remedy: 'See that the target reaches the foreign servers.',
  },
  {
    mode: 'Offline',
    query: `SELECT o.oid::pg_catalog.regclass::text AS name FROM pg_catalog.pg_class o
             WHERE o.relkind = 'r' AND o.relpersistence = 'u' AND ${isUserMade('o')} ORDER BY 1`,
    message: (names) => `Unlogged tables are migrated with their rows and stay unlogged: ${names}.`,
    remedy: 'Nothing to do, unless their rows need not move: TRUNCATE them on the source then.',
  },
  {
    mode: 'Offline',
    query: SUBSCRIPTIONS,
    message: (names) =>
      `Subscriptions go on writing to the source, and are not started on the target: ${names}.`,
    remedy:
      'Disable them on the source before the migration, and create or enable them on the target after it.',
  },
  {
    mode: 'Online',
    query: SUBSCRIPTIONS,
    message: (names) =>
      `Subscriptions write to the source until the cutover, and are not started on the target: ${names}.`,
    remedy: 'Create or enable them on the target after the cutover.',
  },
  {
    query: `SELECT pg_catalog.quote_ident(o.evtname) AS name FROM pg_catalog.pg_event_trigger o
             WHERE o.evtenabled <> 'D' AND ${isUserMade('o')} ORDER BY 1`,
    message: (names) => `Event triggers are made last, and fire on the target from then on: ${names}.`,
    remedy: 'Nothing to do, unless they should not.',
  },
  {
    query: `SELECT i.indexrelid::pg_catalog.regclass::text AS name
              FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class o ON o.oid = i.indrelid
             WHERE NOT (${isDumpedIndex('i', 'o')}) AND o.relkind IN ('r', 'p', 'm') AND o.relpersistence <> 't' AND ${isUserMade('o')} ORDER BY 1`,
    message: (names) =>
      `Invalid indexes, as a CREATE INDEX CONCURRENTLY that failed leaves them, are not migrated: ${names}.`,
    remedy: 'Drop them on the source, or REINDEX those that are wanted.',
  },
  {
    query: `SELECT extname AS name FROM pg_catalog.pg_extension
             WHERE ${isNotManaged('extname')} AND NOT (${bringsRows('extname')}) ORDER BY 1`,
    message: (names) =>
      `Jobs of ${names} are not migrated, for they would run on the target while the source is still in use.`,
    remedy:
      'Schedule them on the target after the migration; SELECT * FROM cron.job lists them on the source.',
  },
  {
    query: `SELECT DISTINCT pg_catalog.pg_describe_object(o.tableoid, o.oid, 0) AS name
              FROM (SELECT tableoid, oid, pronamespace AS schema, proowner AS owner, proacl AS acl FROM pg_catalog.pg_proc
                     UNION ALL
                    SELECT tableoid, oid, relnamespace, relowner, relacl FROM pg_catalog.pg_class) o
             CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS entry
             WHERE o.schema = 'pg_catalog'::pg_catalog.regnamespace AND entry.grantee NOT IN (0, o.owner) AND ${WAS_GRANTED} ORDER BY 1`,
    message: (names) => `Rights on the server's own objects are not migrated: ${names}.`,
    remedy: 'Grant them on the target to who needs them there, if it lets you.',
  },
];

export const specialObjects: Rule<DatabaseContext> = {
  id: 'special-objects',
  holds: 'The database has no foreign tables, subscriptions, event triggers or other special objects.',
  async check({ request, sourceClient }) {
    const verdicts: Verdict[] = [];
    const notices = NOTICES.filter(({ mode }) => mode === undefined || mode === request.mode);
    for (const { query, message, remedy } of notices) {
      const { rows } = await sourceClient.query<{ name: string }>(query);
      if (rows.length > 0) verdicts.push(warning(message(enumerate(rows.map((row) => row.name))), remedy));
    }
    return verdicts;
  },
};
