import type { DatabaseContext, Rule, ServerContext } from '../rule';
import { activeSessions } from './active-sessions';
import { clientTools } from './client-tools';
import { collations } from './collations';
import { connections } from './connections';
import { databasesExist } from './databases-exist';
import { encoding, locale } from './encoding-and-locale';
import { extensions } from './extensions';
import { hashPartitions } from './hash-partitions';
import { largeObjects } from './large-objects';
import { replicaRole, replicationRight, sourcePrimary, walLevel } from './logical-decoding';
import { preparedTransactions } from './prepared-transactions';
import { publicationRights, publicationsOfAllTables, replicaIdentities, unloggedTables } from './publishing';
import { removedFeatures } from './removed-features';
import { replicationCapacity } from './replication-capacity';
import { rolesPresent } from './roles-present';
import { roomForLocks } from './room-for-locks';
import { rowLevelSecurity } from './row-level-security';
import { sameServer } from './same-server';
import { settings } from './settings';
import { snapshotAge } from './snapshot-age';
import { sourceFence } from './source-fence';
import { sourceRights } from './source-rights';
import { specialObjects } from './special-objects';
import { languages, superuserObjects } from './superuser-objects';
import { targetEmpty } from './target-empty';
import { targetRights } from './target-rights';
import { targetStandbys } from './target-standbys';
import { sourceVersion, targetVersion } from './versions';
import { walRetention } from './wal-retention';
import { writingTransactions } from './writing-transactions';

/** About the two servers; in the order of the report. */
export const SERVER_RULES: Rule<ServerContext>[] = [
  sourceVersion,
  targetVersion,
  sameServer,
  databasesExist,
  clientTools,
  connections,
  snapshotAge,
  targetStandbys,
  sourcePrimary,
  walLevel,
  replicationRight,
  replicationCapacity,
  walRetention,
  writingTransactions,
  replicaRole,
];

/** About one database; in the order of the report. */
export const DATABASE_RULES: Rule<DatabaseContext>[] = [
  sourceRights,
  sourceFence,
  rowLevelSecurity,
  targetEmpty,
  targetRights,
  encoding,
  locale,
  collations,
  extensions,
  rolesPresent,
  languages,
  superuserObjects,
  removedFeatures,
  hashPartitions,
  settings,
  preparedTransactions,
  activeSessions,
  specialObjects,
  largeObjects,
  roomForLocks,
  publicationRights,
  replicaIdentities,
  unloggedTables,
  publicationsOfAllTables,
];
