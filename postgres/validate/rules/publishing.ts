import { isNotOurs } from '../../catalog';
import { quoteIdentifier, quoteQualified } from '../../connect';
import { SOURCE_TABLES } from '../../copy';
import { FIRST_MAJOR_WITH_MESSAGES } from '../../replicate/pgoutput';
import { classifyTables } from '../../replicate/source';
import { enumerate, failed, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';

export const publicationRights: Rule<DatabaseContext> = {
  id: 'publication-rights',
  mode: 'Online',
  holds: "The source's user may publish all tables.",
  async check({ sourceClient, database, source: { user } }) {
    if (user.superuser) return [];
    const name = quoteIdentifier(user.name);
    const verdicts: Verdict[] = [];
    const rights = await sourceClient.query<{ create: boolean; owns: boolean; owner: string }>(
      `SELECT pg_catalog.has_database_privilege(oid, 'CREATE') AS create,
              pg_catalog.pg_has_role(datdba, 'USAGE') AS owns, pg_catalog.pg_get_userbyid(datdba) AS owner
         FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
    );
    if (rights.rows[0]?.create !== true) {
      verdicts.push(
        failed(
          "The source's user may not create publications in the database.",
          `Run on the source: GRANT CREATE ON DATABASE ${quoteIdentifier(database)} TO ${name}.`,
        ),
      );
    }
    if (rights.rows[0]?.owns === false) {
      const owner = quoteIdentifier(rights.rows[0].owner);
      verdicts.push(
        warning(
          `Only its owner, ${owner}, may fence the source's database at the cutover.`,
          `Run on the source: GRANT ${owner} TO ${name}; or keep the writers out yourself, and cut over with --fence none.`,
        ),
      );
    }
    const { rows } = await sourceClient.query<{ schema: string; name: string; owner: string; total: number }>(
      `WITH ${SOURCE_TABLES}
       SELECT t.schema, t.name, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
              (pg_catalog.count(*) OVER ())::integer AS total
         FROM tables t JOIN pg_catalog.pg_class c ON c.oid = t.oid
        WHERE NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') AND t.condition IS NULL AND c.relpersistence <> 'u'
        ORDER BY t.schema, t.name LIMIT 5`,
    );
    const [first] = rows;
    if (first === undefined) return verdicts;
    const tables = rows.map((row) => quoteQualified(row.schema, row.name));
    const others = first.total === 1 ? '' : ', and so on for the other owners';
    return [
      ...verdicts,
      failed(
        `Only its owner may publish a table, and the source's user does not own: ${enumerate(tables, first.total)}.`,
        `Run on the source: GRANT ${quoteIdentifier(first.owner)} TO ${name}${others}.`,
      ),
    ];
  },
};

export const replicaIdentities: Rule<DatabaseContext> = {
  id: 'replica-identities',
  mode: 'Online',
  holds: 'Every table has a replica identity.',
  async check({ request, sourceClient }) {
    const { keylessTables } = request;
    const tables = await classifyTables(sourceClient, { keylessTables });
    const names = (wanted: (table: (typeof tables)[number]) => boolean) =>
      tables.filter(wanted).map((table) => quoteQualified(table.schema, table.name));
    const appended = names(({ identity }) => identity === 'append');
    const altered = names(({ alterIdentity }) => alterIdentity);
    const verdicts: Verdict[] = [];
    if (appended.length > 0) {
      verdicts.push(
        warning(
          `Tables without a usable replica identity: ${enumerate(appended)}; where their rows are updated or deleted meanwhile, they are copied anew at the cutover, while the application waits.`,
          keylessTables === 'append'
            ? 'Give them a primary key, or start the migration with --keyless-tables full.'
            : 'Give them a primary key without generated columns and without WITHOUT OVERLAPS.',
        ),
      );
    }
    if (altered.length > 0) {
      verdicts.push(
        warning(
          `Tables that get another REPLICA IDENTITY until the migration ends, as asked by --keyless-tables full: ${enumerate(altered)}; each change of one that has no key writes the whole old row to the WAL.`,
          'Give those that change much a primary key.',
        ),
      );
    }
    return verdicts;
  },
};

/** What logical decoding never carries. */
export const unloggedTables: Rule<DatabaseContext> = {
  id: 'unlogged-tables',
  mode: 'Online',
  holds: 'The database has no unlogged tables.',
  async check({ sourceClient }) {
    const { rows } = await sourceClient.query<{ schema: string; name: string; size: string }>(
      `WITH ${SOURCE_TABLES}
       SELECT t.schema, t.name,
              pg_catalog.pg_size_pretty(pg_catalog.sum(pg_catalog.pg_table_size(t.oid)) OVER ()) AS size
         FROM tables t JOIN pg_catalog.pg_class c ON c.oid = t.oid
        WHERE c.relpersistence = 'u' ORDER BY t.schema, t.name`,
    );
    const [first] = rows;
    if (first === undefined) return [];
    return [
      warning(
        `Changes of unlogged tables are not in the WAL: ${enumerate(rows.map((row) => quoteQualified(row.schema, row.name)))}, ${first.size}, are copied at the cutover, while the application waits.`,
        'Make them logged, or TRUNCATE on the source what need not move.',
      ),
    ];
  },
};

/** A marker before 14 is a row of a table of ours, which such a publication publishes too. */
export const publicationsOfAllTables: Rule<DatabaseContext> = {
  id: 'publications-of-all-tables',
  mode: 'Online',
  holds: 'No publication of others publishes what the migration makes on the source.',
  async check({ source, sourceClient }) {
    if (source.version.major >= FIRST_MAJOR_WITH_MESSAGES) return [];
    const { rows } = await sourceClient.query<{ pubname: string }>(
      `SELECT pubname FROM pg_catalog.pg_publication WHERE puballtables AND ${isNotOurs('pubname')} ORDER BY 1`,
    );
    if (rows.length === 0) return [];
    return [
      warning(
        `Publications FOR ALL TABLES publish the migration's table of markers as well, which stops subscribers that do not have it: ${enumerate(rows.map((row) => quoteIdentifier(row.pubname)))}.`,
        'Make on their subscribers what `flexlift show` lists as schema, or name the tables in the publications.',
      ),
    ];
  },
};
