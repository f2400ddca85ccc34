import { ADDED_CONSTRAINT } from './added-constraint';

/** A foreign key, made in two steps. */
export interface ForeignKeyInSteps {
  /** Under a lock that keeps writers of both tables waiting, but in no time. */
  add: string;
  /** Reads both tables, under one that keeps no writer waiting. */
  validate: string;
}

const FOREIGN_KEY = new RegExp(
  ADDED_CONSTRAINT + String.raw`(?<definition>FOREIGN KEY \((?:"(?:[^"]|"")*"|[^";])*);\s*$`,
);

/** There is nothing to validate. */
const UNCHECKED = / NOT (?:VALID|ENFORCED)$/;

/**
 * NOT VALID and VALIDATE CONSTRAINT make the same foreign key
 * (https://www.postgresql.org/docs/current/sql-altertable.html, "Notes"). Not, up to 17, where one of its tables is
 * partitioned: from there it takes no NOT VALID, and to there the keys of the partitions stay so.
 *
 * @param statement of an archive's entry
 * @returns undefined for that of a partitioned table, and what is not valid on the source
 */
export function foreignKeyInSteps(statement: string): ForeignKeyInSteps | undefined {
  const parts = FOREIGN_KEY.exec(statement)?.groups;
  if (parts === undefined) return undefined;
  const { table = '', name = '', definition = '' } = parts;
  if (UNCHECKED.test(definition)) return undefined;
  return {
    add: `ALTER TABLE ONLY ${table} ADD CONSTRAINT ${name} ${definition} NOT VALID;`,
    validate: `ALTER TABLE ONLY ${table} VALIDATE CONSTRAINT ${name};`,
  };
}
