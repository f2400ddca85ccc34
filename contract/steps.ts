/** Arguments and results of the durable steps: what stands in a history between workflow and activity. */
import type { FailureFields } from './errors';
import type { Concurrency, MigrationRequest, OnCancel } from './request';
import type { Amounts, Difference, Finding, TableReport } from './status';

/** The argument of every step on one database. */
export interface DatabaseStep {
  request: MigrationRequest;
  database: string;
}

/** Of what comes after the data. */
export interface EntriesStep extends DatabaseStep {
  /** The last stage that is due; see `ENTRY_STAGES`. Absent: all that remains. */
  until?: 'foreign-keys' | 'privileges' | 'row-security';
}

export interface EntriesResult {
  /** How many are left to later stages. */
  left: number;
}

export interface RefreshStep extends DatabaseStep {
  /** Online: of the cutover. */
  attempt?: number;
  /** Only what is to be filled before row security is there. */
  beforeRowSecurity?: boolean;
}

export interface RefreshResult {
  /** How many are filled, by whichever attempt. */
  filled: number;
}

export interface AnalyzeResult {
  /** Why a table, or the first of several, has no statistics. */
  left?: FailureFields;
}

/** The argument of the workflow `load`, of its plan and of its groups. */
export interface LoadStep extends DatabaseStep {
  /** On the source: this table alone, for it is copied anew. Absent: all that is left. */
  tableOid?: number;
}

export interface ValidationResult {
  findings: Finding[];
  /** The databases to migrate, resolved from the request or from the source. */
  databases: string[];
  /** What holds from now on; absent where a server could not be reached. */
  concurrency?: Concurrency;
}

/** One table that has activities of its own. */
export interface LargeTable {
  /** On the source. */
  oid: number;
  /** Quoted, schema-qualified; for people. */
  name: string;
  bytes: number;
  /** Numbers of its parts: all of them where one is not copied yet, or none. */
  parts: number[];
  /** The source's checksum is still to be taken. */
  checksum: boolean;
  /** Archive entries of indexes and constraints that are not built yet, the costliest first. */
  indexes: IndexEntry[];
}

export interface IndexEntry {
  dumpId: number;
  /** For people. */
  name: string;
  /** A constraint: no other index of its table can be built at the same time. Absent in plans of earlier versions. */
  locksTable?: boolean;
  /** Its index can be built by itself, with others of its table, and then made the constraint in no time. */
  hasKeyIndex?: boolean;
  /** Of building it, compared with others. Absent where nothing is to be put in order, and in plans of earlier versions. */
  cost?: number;
}

/** Small tables copied by one activity. */
export interface TableGroup {
  number: number;
  tables: number;
  bytes: number;
}

/** What is left to load, largest first. Empty lists: nothing. */
export interface LoadPlan {
  planned: Amounts;
  /** Of tables that are wholly copied. */
  copied: Amounts;
  largeTables: LargeTable[];
  groups: TableGroup[];
  /** Of large objects, what is not copied yet. */
  largeObjectBatches: LargeObjectBatches[];
}

/** How many large tables, groups and batches of large objects are left. */
export function piecesLeft({ largeTables, groups, largeObjectBatches }: LoadPlan): number {
  return largeTables.length + groups.length + largeObjectBatches.length;
}

/** One, by its number; or all from the first to the last, one after the other, for a history is to stay bounded. */
export type LargeObjectBatches = number | [first: number, last: number];

export interface PartStep extends DatabaseStep {
  table: { oid: number; name: string };
  part: number;
}

export interface PartResult extends Amounts {
  /** The number of the scope under whose snapshot the part was copied; that of a later snapshot is greater. */
  scope: number;
}

export interface TableStep extends DatabaseStep {
  table: { oid: number; name: string };
}

export interface GroupStep extends LoadStep {
  group: number;
}

export interface LargeObjectStep extends DatabaseStep {
  batch: LargeObjectBatches;
}

export interface IndexStep extends DatabaseStep {
  entry: IndexEntry;
}

/** The tables one comparison works through. */
export interface CompareStep extends DatabaseStep {
  tableOids: number[];
}

export interface CompareResult {
  differences: Difference[];
  /** Quoted names of materialized views whose rows differ as they may; the first of them. Absent: none. */
  notCompared?: string[];
}

/** The tables to compare, in batches of one activity each. */
export interface ComparePlan {
  batches: { summary: string; tableOids: number[] }[];
}

export interface ReleaseStep extends DatabaseStep {
  differences: Difference[];
  /** Online: of the cutover. */
  attempt?: number;
}

export interface ReleaseResult {
  tables: TableReport[];
  tablesTotal: number;
  copied: Amounts;
}

export interface CleanUpStep extends DatabaseStep {
  onCancel: OnCancel;
}

export interface CleanUpResult {
  left?: LeftOnSource;
  /** Why the target is as it was. */
  targetLeft?: FailureFields;
}

/** Still on the source, since that cannot be reached. */
export interface LeftOnSource {
  /** For a person: `slot flexlift_…`. */
  objects: string[];
  /** Takes them away, run in the database on the source. */
  sql: string;
  failure: FailureFields;
}
