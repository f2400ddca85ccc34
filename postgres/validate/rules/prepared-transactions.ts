import { enumerate, warning, type DatabaseContext, type Rule } from '../rule';

export const preparedTransactions: Rule<DatabaseContext> = {
  id: 'prepared-transactions',
  holds: 'No prepared transaction is pending on the source.',
  async check({ request, sourceClient }) {
    const { rows } = await sourceClient.query<{ gid: string }>(
      `SELECT gid FROM pg_catalog.pg_prepared_xacts
        WHERE database = pg_catalog.current_database() ORDER BY prepared`,
    );
    if (rows.length === 0) return [];
    const gids = enumerate(rows.map((row) => JSON.stringify(row.gid)));
    if (request.mode === 'Online') {
      return [
        warning(
          `Prepared transactions are pending; the replication slot waits for their end, and the cutover is refused while there are any: ${gids}.`,
          'COMMIT PREPARED or ROLLBACK PREPARED them on the source.',
        ),
      ];
    }
    return [
      warning(
        `Prepared transactions are pending; what they wrote is not migrated, and their locks may block it: ${gids}.`,
        'COMMIT PREPARED or ROLLBACK PREPARED them on the source before the migration.',
      ),
    ];
  },
};
