import { ADDED_CONSTRAINT, NAME } from './added-constraint';

/** A constraint that stands on a btree index, made in two steps. */
export interface KeyInSteps {
  /** Builds the index, under a lock that lets other indexes of the table be built at the same time. */
  index: string;
  /** Makes the constraint of it, under one that does not, but in no time. */
  constraint: string;
}

const NAMES = String.raw`\(${NAME}(?:, ${NAME})*\)`;
const OPTIONS = String.raw`\((?:'(?:[^']|'')*'|[^')])*\)`;
const TIMING = '(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?';

/** Whatever the version of pg_dump. */
const KEY = new RegExp(
  ADDED_CONSTRAINT +
    String.raw`(?<kind>PRIMARY KEY|UNIQUE)(?<nulls> NULLS NOT DISTINCT)? (?<columns>${NAMES})` +
    String.raw`(?<include> INCLUDE ${NAMES})?(?<options> WITH ${OPTIONS})?(?<timing>${TIMING});(?<rest>[^]*)$`,
);

/**
 * `ADD CONSTRAINT … USING INDEX` makes the same constraint of an index that is there
 * (https://www.postgresql.org/docs/current/sql-altertable.html, ADD table_constraint_using_index).
 *
 * @param statement of an archive's entry
 * @returns undefined for what is no PRIMARY KEY or UNIQUE constraint, or one WITHOUT OVERLAPS, whose index is none of btree
 */
export function keyInSteps(statement: string): KeyInSteps | undefined {
  const parts = KEY.exec(statement)?.groups;
  if (parts === undefined) return undefined;
  const { table, name, kind, nulls = '', columns, include = '', options = '', timing, rest } = parts;
  return {
    index: `CREATE UNIQUE INDEX ${name} ON ONLY ${table} USING btree ${columns}${include}${nulls}${options};`,
    constraint: `ALTER TABLE ONLY ${table} ADD CONSTRAINT ${name} ${kind} USING INDEX ${name}${timing};${rest}`,
  };
}
