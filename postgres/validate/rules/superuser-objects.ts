import { isUserMade } from '../../catalog';
import { enumerate, failed, type DatabaseContext, type Rule, type Verdict } from '../rule';

/** What only a superuser may create, by the reason; each query gives (classid, objid). */
const SUPERUSER_OBJECTS: Record<string, string> = {
  'functions in C': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_proc o
     JOIN pg_catalog.pg_language l ON l.oid = o.prolang
    WHERE l.lanname IN ('c', 'internal') AND ${isUserMade('o')}`,
  'leakproof functions': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_proc o
    WHERE o.proleakproof AND ${isUserMade('o')}`,
  'base types': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_type o
    WHERE o.typtype = 'b' AND o.typelem = 0 AND ${isUserMade('o')}`,
  'operator classes and families': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_opclass o WHERE ${isUserMade('o')}
    UNION ALL SELECT o.tableoid, o.oid FROM pg_catalog.pg_opfamily o WHERE ${isUserMade('o')}`,
  'casts without a function': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_cast o
    WHERE o.castmethod = 'b' AND ${isUserMade('o')}`,
  'text search parsers and templates': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_ts_parser o WHERE ${isUserMade('o')}
    UNION ALL SELECT o.tableoid, o.oid FROM pg_catalog.pg_ts_template o WHERE ${isUserMade('o')}`,
  'foreign data wrappers': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_foreign_data_wrapper o
    WHERE ${isUserMade('o')}`,
  'event triggers': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_event_trigger o WHERE ${isUserMade('o')}`,
  'publications of all tables': `SELECT o.tableoid, o.oid FROM pg_catalog.pg_publication o
    WHERE o.puballtables AND ${isUserMade('o')}`,
};

/** From 15 on. */
const SCHEMA_PUBLICATIONS = {
  'publications of all tables in a schema': `SELECT DISTINCT o.tableoid, o.oid FROM pg_catalog.pg_publication o
     JOIN pg_catalog.pg_publication_namespace n ON n.pnpubid = o.oid WHERE ${isUserMade('o')}`,
};

export const superuserObjects: Rule<DatabaseContext> = {
  id: 'superuser-objects',
  holds: "Nothing needs a superuser on the target, or the target's user is one.",
  async check({ sourceClient, source, target }) {
    if (target.user.superuser) return [];
    const verdicts: Verdict[] = [];
    const objects = { ...SUPERUSER_OBJECTS, ...(source.version.major >= 15 ? SCHEMA_PUBLICATIONS : {}) };
    for (const [kind, query] of Object.entries(objects)) {
      const { rows } = await sourceClient.query<{ object: string; total: number }>(
        `SELECT pg_catalog.pg_describe_object(found.classid, found.objid, 0) AS object,
                (pg_catalog.count(*) OVER ())::integer AS total
           FROM (${query}) AS found(classid, objid) ORDER BY 1 LIMIT 5`,
      );
      const [first] = rows;
      if (first === undefined) continue;
      const names = enumerate(
        rows.map((row) => row.object),
        first.total,
      );
      verdicts.push(
        failed(
          `Only a superuser of the target may create ${kind}: ${names}.`,
          'Drop them on the source if nothing needs them, or migrate as a superuser of the target.',
        ),
      );
    }
    return verdicts;
  },
};

export const languages: Rule<DatabaseContext> = {
  id: 'languages',
  holds: 'Every function is in a language that the target has and its user may use.',
  async check({ sourceClient, target }) {
    // most languages are extensions: whether the target has them is the business of that rule
    const { rows } = await sourceClient.query<{ language: string; functions: number }>(
      `SELECT l.lanname AS language, pg_catalog.count(*)::integer AS functions
         FROM pg_catalog.pg_proc o JOIN pg_catalog.pg_language l ON l.oid = o.prolang
        WHERE NOT l.lanpltrusted AND l.lanname NOT IN ('c', 'internal') AND ${isUserMade('o')}
        GROUP BY l.lanname ORDER BY l.lanname`,
    );
    if (target.user.superuser) return [];
    return rows.map(({ language, functions }) =>
      failed(
        `Functions in the untrusted language ${language}: ${functions}; only a superuser of the target may create them.`,
        'Rewrite them in a trusted language, or migrate as a superuser of the target.',
      ),
    );
  },
};
