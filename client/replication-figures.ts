import {
  READY_LAG_SECONDS,
  type DatabaseStatus,
  type MigrationStatus,
  type ReplicationProgress,
  type ReplicationState,
  type ReplicationStatus,
} from '../contract';

/** What is known of a database's replication besides its status. */
export interface LiveReplication {
  database: string;
  /** What its workflow answers: right about the state, as old as the segment in its figures. */
  answer?: ReplicationStatus;
  /** The applier's last heartbeat. */
  heartbeat?: ReplicationProgress;
  /** It failed, and has not applied anything since. */
  isInterrupted?: boolean;
}

/** The status with the newest figures of every replication. */
export function withReplications(status: MigrationStatus, live: LiveReplication[]): MigrationStatus {
  const databases = status.databases.map((database): DatabaseStatus => {
    const known = live.filter((candidate) => candidate.database === database.database);
    const answer = known.find((candidate) => candidate.answer !== undefined)?.answer ?? database.replication;
    const heartbeat = known.find((candidate) => candidate.heartbeat !== undefined)?.heartbeat;
    const isReady =
      database.replication?.state === 'ReadyForCutover' && !known.some(({ isInterrupted }) => isInterrupted);
    const replication = withKnownState(newestFigures(answer, heartbeat), isReady);
    return replication === undefined ? database : { ...database, replication };
  });
  return { ...status, databases };
}

function newestFigures(
  answer: ReplicationStatus | undefined,
  heartbeat: ReplicationProgress | undefined,
): ReplicationStatus | undefined {
  if (heartbeat === undefined) return answer;
  if (answer === undefined) return { state: 'CatchingUp', ...heartbeat };
  return {
    state: liveState(answer.state, heartbeat.lagSeconds),
    failure: answer.failure,
    waitingForeignKeys: answer.waitingForeignKeys,
    proofsPostponed: answer.proofsPostponed,
    ...heartbeat,
    // these the workflow may learn from others than the applier, whose silence must not hide them
    drift: heartbeat.drift.length > 0 ? heartbeat.drift : answer.drift,
    proven: heartbeat.proven.total > 0 ? heartbeat.proven : answer.proven,
  };
}

/** It is ready when the migration has heard so, for before it would refuse the cutover, and as long as it is at work. */
function withKnownState(
  newest: ReplicationStatus | undefined,
  isReady: boolean,
): ReplicationStatus | undefined {
  if (newest?.state !== 'ReadyForCutover' || isReady) return newest;
  return { ...newest, state: 'CatchingUp' };
}

/** The workflow knows that all had caught up once; whether it still has, the applier. */
function liveState(state: ReplicationState, lagSeconds: number): ReplicationState {
  return state === 'ReadyForCutover' && lagSeconds > READY_LAG_SECONDS ? 'CatchingUp' : state;
}
