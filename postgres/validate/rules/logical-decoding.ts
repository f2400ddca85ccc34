import { mayBeReplica } from '../../catalog';
import { quoteIdentifier } from '../../connect';
import { inTransaction } from '../../ledger';
import { failed, warning, type Rule, type ServerContext } from '../rule';

/** How a server's owner turns logical decoding on, told by the settings that only such a server has. */
const MANAGED: { setting: string; remedy: string }[] = [
  {
    setting: 'rds.logical_replication',
    remedy: "Set rds.logical_replication = 1 in the source's parameter group, and reboot it.",
  },
  {
    setting: 'cloudsql.logical_decoding',
    remedy: 'Set the flag cloudsql.logical_decoding = on on the source, which restarts it.',
  },
  {
    setting: 'alloydb.logical_decoding',
    remedy: 'Set the flag alloydb.logical_decoding = on on the source, which restarts it.',
  },
  {
    setting: 'azure.extensions',
    remedy: 'Set the server parameter wal_level = logical on the source, and restart it.',
  },
];

export const walLevel: Rule<ServerContext> = {
  id: 'wal-level',
  mode: 'Online',
  holds: "The source's WAL can be decoded.",
  async check({ source: { client } }) {
    const { rows } = await client.query<{ level: string; known: string[] | null }>(
      `SELECT pg_catalog.current_setting('wal_level') AS level,
              (SELECT pg_catalog.array_agg(name) FROM pg_catalog.unnest($1::text[]) AS name
                WHERE pg_catalog.current_setting(name, true) IS NOT NULL) AS known`,
      [MANAGED.map(({ setting }) => setting)],
    );
    const { level, known } = rows[0] ?? { level: 'unknown', known: null };
    if (level === 'logical') return [];
    const managed = MANAGED.find(({ setting }) => known?.includes(setting));
    return [
      failed(
        `The source's wal_level is ${level}; an online migration takes logical.`,
        managed?.remedy ?? 'Run on the source: ALTER SYSTEM SET wal_level = logical, and restart it.',
      ),
    ];
  },
};

export const sourcePrimary: Rule<ServerContext> = {
  id: 'source-primary',
  mode: 'Online',
  holds: 'The source is no standby.',
  async check({ source: { client } }) {
    const { rows } = await client.query<{ standby: boolean }>(
      'SELECT pg_catalog.pg_is_in_recovery() AS standby',
    );
    if (rows[0]?.standby !== true) return [];
    return [
      failed(
        'The source is a standby: an online migration makes publications and a slot, and fences it at the end.',
        'Name its primary.',
      ),
    ];
  },
};

/** A role of this name may replicate without the attribute: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/ */
const REPLICATION_ROLES = ['rds_replication'];

export const replicationRight: Rule<ServerContext> = {
  id: 'replication-right',
  mode: 'Online',
  holds: "The source's user may replicate.",
  async check({ source: { client, user } }) {
    if (user.superuser) return [];
    const { rows } = await client.query<{ allowed: boolean; managed: string | null }>(
      `SELECT me.rolreplication
                OR EXISTS (SELECT FROM pg_catalog.pg_roles r
                            WHERE r.rolname = ANY ($2) AND pg_catalog.pg_has_role(r.oid, 'MEMBER')) AS allowed,
              (SELECT r.rolname FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($2) LIMIT 1) AS managed
         FROM pg_catalog.pg_roles me WHERE me.rolname = $1`,
      [user.name, REPLICATION_ROLES],
    );
    const { allowed, managed } = rows[0] ?? { allowed: false, managed: null };
    if (allowed) return [];
    const name = quoteIdentifier(user.name);
    const statement = managed === null ? `ALTER ROLE ${name} REPLICATION` : `GRANT ${managed} TO ${name}`;
    return [failed("The source's user may not replicate.", `Run on the source: ${statement}.`)];
  },
};

/** Whether the user's sessions can leave the target's triggers and foreign keys aside. */
export const replicaRole: Rule<ServerContext> = {
  id: 'replica-role',
  mode: 'Online',
  holds: "The target's user may set session_replication_role.",
  async check({ target }) {
    if (await inTransaction(target.client, () => mayBeReplica(target.client))) return [];
    const name = quoteIdentifier(target.user.name);
    const remedy =
      target.version.major >= 15
        ? `Nothing to do; or run on the target: GRANT SET ON PARAMETER session_replication_role TO ${name}.`
        : 'Nothing to do; or migrate as a user of the target that may set it.';
    return [
      warning(
        "The target's user may not set session_replication_role: foreign keys and triggers are made at the cutover, while the application waits.",
        remedy,
      ),
    ];
  },
};
