import { enumerate, warning, type DatabaseContext, type Rule } from '../rule';

export const preparedTransactions: Rule<DatabaseContext> = {
  id: 'prepared-transactions',
  holds: 'No prepared transaction is pending on the source.',
  async check({ sourceClient }) {
    const { rows } = await sourceClient.query<{ gid: string }>(
      `SELECT gid FROM pg_catalog.pg_prepared_xacts
        WHERE database = pg_catalog.current_database() ORDER BY prepared`,
    );
    if (rows.length === 0) return [];
    const gids = enumerate(rows.map((row) => JSON.stringify(row.gid)));
    return [
      warning(
        `Prepared transactions are pending; what they wrote is not migrated, and their locks may block it: ${gids}.`,
        'COMMIT PREPARED or ROLLBACK PREPARED them on the source before the migration.',
      ),
    ];
  },
};
