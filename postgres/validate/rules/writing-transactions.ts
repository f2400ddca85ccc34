import { enumerate, warning, type Rule, type ServerContext } from '../rule';

/** Seconds; of a prepared transaction nobody knows whether its end will ever come, however young it is. */
const LONG = 60;

/** A slot begins where no transaction that has written is under way, in any database of the server. */
export const writingTransactions: Rule<ServerContext> = {
  id: 'writing-transactions',
  mode: 'Online',
  holds: 'No long transaction delays the replication slot.',
  async check({ source: { client }, databases }) {
    const { rows } = await client.query<{ what: string }>(
      `SELECT what FROM (
         SELECT 'process ' || a.pid || ' (' || a.application_name || '), '
                || EXTRACT(epoch FROM pg_catalog.now() - a.xact_start)::int8 || ' s' AS what, a.xact_start AS since
           FROM pg_catalog.pg_stat_activity a
          WHERE a.backend_xid IS NOT NULL
            AND a.xact_start < pg_catalog.now() - pg_catalog.make_interval(secs => $1)
         UNION ALL
         -- those of the databases to migrate are named by a rule of their own
         SELECT 'prepared ' || pg_catalog.quote_literal(gid) || ' in database ' || pg_catalog.quote_ident(database) || ', '
                || EXTRACT(epoch FROM pg_catalog.now() - prepared)::int8 || ' s', prepared
           FROM pg_catalog.pg_prepared_xacts WHERE database <> ALL ($2)) AS transactions
        ORDER BY since`,
      [LONG, databases],
    );
    if (rows.length === 0) return [];
    return [
      warning(
        `Transactions that have written are still open, and the replication slot waits for their end: ${enumerate(rows.map((row) => row.what))}.`,
        'Commit them or roll them back.',
      ),
    ];
  },
};
