import type { StreamIdentity } from '../../ledger';
import type { Statement } from './pipeline';

export type AppliedIdentity = Exclude<StreamIdentity, 'late'>;

/** What the ledger knows of a table of the source. */
export interface LoadedTable {
  /** Its rows are on the target under it; quoted, schema-qualified. */
  name: string;
  identity: AppliedIdentity;
}

/** A column as its values are written; all names are quoted. */
export interface TargetColumn {
  name: string;
  type: number;
  /** How many values travel as one parameter. */
  bulk: BulkForm;
  /** Absent: no index has it in a form that could find a row. */
  equality?: ColumnEquality;
  /** An identity GENERATED ALWAYS: INSERT can be told to take a value, UPDATE cannot. */
  isAlwaysGenerated: boolean;
  /** Its image may differ although its text is the same: the sign of a float's NaN, and whatever is made of others. */
  comparesAsText: boolean;
}

export type BulkForm =
  /** An array of the type itself: each element goes through the type's input function. */
  | { kind: 'array'; type: number; delimiter: number }
  /** An array of text with a cast, which ends in the input function too; for there are no arrays of arrays. */
  | { kind: 'text'; cast: string }
  /** Only one by one. */
  | { kind: 'none' };

const TEXT_ARRAY = 1009;

/** The type of the one parameter that holds a column's values. */
export function bulkParameter(bulk: BulkForm): number {
  return bulk.kind === 'array' ? bulk.type : TEXT_ARRAY;
}

/** What an index means by equal. */
export interface ColumnEquality {
  /** As in an expression: `OPERATOR("public".=)`. */
  operator: string;
  /** Where the index has another collation than the column. */
  collation?: string;
  /** The type below a domain. */
  cast?: string;
}

/** Where a table of the source is written to. */
export interface TargetTable {
  /** On the source. */
  oid: number;
  /** Quoted, schema-qualified. */
  name: string;
  identity: AppliedIdentity;
  /** In the order of the relation's columns. */
  columns: TargetColumn[];
  /** Positions of the identity's columns; none unless the identity is `key`. */
  key: number[];
  /** Position of the one column that may be an identity GENERATED ALWAYS. */
  always?: number;
  /** By what they do. */
  statements: Map<string, Statement>;
}
