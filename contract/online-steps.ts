/** Arguments and results of the durable steps that only an online migration has. */
import type { FailureFields } from './errors';
import type { CleanUpResult, DatabaseStep } from './steps';
import type {
  Difference,
  FenceMode,
  ReplicationProgress,
  ReplicationState,
  ReplicationStatus,
} from './status';

export interface PreparedSource {
  /** What now stands on the source, for a person: `slot flexlift_…`. */
  sourceObjects: string[];
}

/** The argument of the workflow `replicate`; what it needs to go on as new. */
export interface ReplicateStep extends DatabaseStep {
  /** Everything committed before the load ended is applied, and the foreign keys that need not wait are there. */
  caughtUp: boolean;
  /** See {@link ReplicationStatus}. */
  waitingForeignKeys?: number;
  paused: boolean;
  /** The figures of the last segment. */
  status?: ReplicationStatus;
  /** Those to pause or to resume that are taken up, but not told to the database yet. */
  orders?: string[];
  /** The number of the last notice, an earlier replication's too. */
  told: number;
}

/** Sent by a replication to its database when its state changes, and when an order is taken up. */
export interface ReplicationNotice {
  state: ReplicationState;
  /** Those to pause or to resume that led to this state. */
  orders?: string[];
  failure?: FailureFields;
  progress?: Omit<ReplicationStatus, 'state' | 'failure'>;
  /** Its number: two that are under way at a time come in any order. */
  told: number;
}

export interface ForeignKeysResult {
  /** How many are left to the cutover. */
  waiting: number;
}

export interface TableSnapshotStep extends DatabaseStep {
  table: { oid: number; name: string };
}

export interface MarkerStep extends DatabaseStep {
  marker: string;
}

/** Puts a marker into the source's stream and waits until the applier has met it. */
export interface PassMarkerStep extends MarkerStep {
  /** As of the applier that is to meet it: see {@link ApplyStep}. */
  quietFrom?: string;
}

export interface LastLookStep extends PassMarkerStep {
  /** Of the cutover. Absent in histories of earlier versions. */
  attempt?: number;
  /** Which has to stand still. */
  fence: FenceMode;
}

/** One segment of the applier. */
export interface ApplyStep extends DatabaseStep {
  /** Milliseconds. */
  segment: number;
  /** Ends where the marker is met. A change between `quietFrom`, an earlier marker, and it is not applied but reported. */
  until?: { marker: string; quietFrom?: string };
}

export interface ApplyResult {
  ended: 'marker' | 'refused' | 'time' | 'stopped';
  progress: ReplicationProgress;
  /** The first change that was not to be. */
  refused?: { table: string; commitTime: string; lsn: string };
}

/** Nothing is applied, the source is watched. */
export interface WatchStep extends DatabaseStep {
  /** The figures so far. */
  known?: ReplicationProgress;
}

export interface ProofStep extends DatabaseStep {
  tableOids: number[];
}

export interface ProofResult {
  proven: number;
  differences: Difference[];
  /** Absent: every table was read. */
  postponed?: PostponedProofs;
}

export interface PostponedProofs {
  /** Why. */
  sentence: string;
  /** Any other table would wait for the same. */
  concernsAll: boolean;
}

export interface ProofPlanStep extends DatabaseStep {
  /** Of a cutover: every table that would else be read whole behind the fence. */
  beforeFence?: boolean;
}

/** Which tables need a proof, in batches of one snapshot each. */
export interface ProofPlan {
  batches: { summary: string; tableOids: number[] }[];
}

export interface CompareLimitStep extends DatabaseStep {
  fence: FenceMode;
  /** Bytes of tables that may be left to be compared behind the fence. */
  maxCompareBytes: number;
  /** Why proofs were postponed just now: one sentence. */
  postponed?: string;
}

export interface BeginCutoverStep extends DatabaseStep {
  maxLagBytes: number;
}

export interface BegunCutover {
  attempt: number;
}

export interface CutoverStep extends DatabaseStep {
  /** From 1 on; what is done for one attempt is done anew for the next. */
  attempt: number;
}

export interface FinalComparePlan {
  batches: {
    summary: string;
    tableOids: number[];
    /** Of tables that the stream does not carry, or not whole: they are brought over behind the fence first. */
    hasLateRows: boolean;
  }[];
}

export interface CompareCatalogStep extends DatabaseStep {
  /** Online: of the cutover, whose catalog of the source was read before the fence. */
  attempt?: number;
  /** Online: what stands on the source. */
  fence?: FenceMode;
}

export interface FenceStep extends CutoverStep {
  fence: FenceMode;
}

/** `undefined` table: all of them, with a new slot. */
export interface RecopyStep extends DatabaseStep {
  table?: string;
  /** Carried out once, whatever attempt is late. Absent in histories of earlier versions. */
  order?: string;
  /** What it holds is doubtful: it is emptied, whatever it looks like on the source. Default false. */
  doubtful?: boolean;
}

/** The target was changed as the source was. */
export interface AcceptDriftStep extends DatabaseStep {
  /** As of {@link RecopyStep}. */
  order?: string;
}

/** Of one table; nothing where it was all of them. */
export interface RecopyReset {
  /** On the source. */
  tableOid: number;
}

export interface TidyStep extends DatabaseStep {
  /** `objects`: all but the fence. */
  what: 'fence' | 'objects' | 'all';
}

export interface TidyResult extends CleanUpResult {
  /** For a person; empty: nothing was there. */
  removed: string[];
}

export interface UndoneCutover {
  /**
   * Quoted names of tables that were copied anew behind the fence and have a stream, too: what was committed there in
   * between is in the copy and would come once more.
   */
  doubtful: string[];
}
