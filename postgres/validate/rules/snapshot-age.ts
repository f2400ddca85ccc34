import { failed, type Rule, type ServerContext } from '../rule';

/**
 * Exists up to 16; https://www.postgresql.org/docs/16/runtime-config-resource.html#GUC-OLD-SNAPSHOT-THRESHOLD. Off by
 * default, everywhere where this tool has been seen.
 */
export const snapshotAge: Rule<ServerContext> = {
  id: 'snapshot-age',
  holds: 'The source lets a snapshot live as long as a copy takes.',
  async check({ source: { client } }) {
    const { rows } = await client.query<{ threshold: string }>(
      `SELECT pg_catalog.current_setting('old_snapshot_threshold') AS threshold
         FROM pg_catalog.pg_settings WHERE name = 'old_snapshot_threshold' AND setting <> '-1'`,
    );
    const [row] = rows;
    if (row === undefined) return [];
    return [
      failed(
        `The source gives a snapshot up after ${row.threshold} (old_snapshot_threshold): a copy that takes longer would fail, and begin anew, again and again.`,
        'Set old_snapshot_threshold to -1 on the source and restart it.',
      ),
    ];
  },
};
