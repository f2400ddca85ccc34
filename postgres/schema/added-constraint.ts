/** As pg_dump writes a name: it quotes every other one. */
export const NAME = String.raw`(?:"(?:[^"]|"")*"|[a-z0-9_]+)`;

/**
 * How pg_dump begins the statement of a constraint of a plain table (`dumpConstraint` of src/bin/pg_dump/pg_dump.c); that of a
 * partitioned one it writes without ONLY. Groups: table, name.
 */
export const ADDED_CONSTRAINT = String.raw`^ALTER TABLE ONLY (?<table>${NAME}\.${NAME})\s+ADD CONSTRAINT (?<name>${NAME}) `;
