/** Raised with every change of the tables below; a worker refuses a ledger newer than its own. */
export const LEDGER_SCHEMA_VERSION = 1;

/**
 * The ledger's tables; one statement each. `table_oid` is the table's oid on the source: it is stable while the
 * migration runs and free of quoting.
 */
export const LEDGER_DDL = [
  `CREATE SCHEMA flexlift`,
  `COMMENT ON SCHEMA flexlift IS 'Progress of a running flexlift migration; one row stays after its release'`,

  // one row: whose target this is. Every writer locks it FOR SHARE, the release FOR UPDATE.
  `CREATE TABLE flexlift.migration (
     singleton        boolean PRIMARY KEY DEFAULT true CHECK (singleton),
     migration_id     text NOT NULL,
     generation       integer NOT NULL,
     schema_version   integer NOT NULL,
     state            text NOT NULL CHECK (state IN ('open', 'released')),
     database_created boolean NOT NULL,
     created_at       timestamptz NOT NULL DEFAULT pg_catalog.now(),
     released_at      timestamptz,
     report           jsonb)`,

  // one row for each piece of work that is neither an archive entry's text nor a part: done or never happened
  `CREATE TABLE flexlift.step (
     kind        text NOT NULL,
     key         text NOT NULL,
     done_by     text NOT NULL DEFAULT pg_catalog.current_setting('application_name'),
     done_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
     detail      jsonb,
     PRIMARY KEY (kind, key))`,

  // the schema as pg_dump gave it, in the archive's own order; step kind 'entry' says which are executed. A statement
  // that a rule leaves out is not kept.
  `CREATE TABLE flexlift.archive_entry (
     dump_id       integer PRIMARY KEY,
     position      integer NOT NULL UNIQUE,
     section       text NOT NULL,
     phase         text NOT NULL CHECK (phase IN ('pre-data', 'table', 'post-data', 'acl', 'post-acl')),
     description   text NOT NULL,
     object        text NOT NULL,
     catalog_class oid NOT NULL,
     catalog_oid   oid NOT NULL,
     table_oid     oid,
     dependencies  integer[] NOT NULL,
     statement     text NOT NULL,
     skipped_by    text)`,

  // a snapshot of the source, the first transaction id it does not see, and who held it; at most one is open
  `CREATE TABLE flexlift.scope (
     scope       integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
     snapshot    text NOT NULL,
     keeper      text NOT NULL,
     source_xmax bigint NOT NULL,
     state       text NOT NULL CHECK (state IN ('open', 'dead', 'complete')),
     opened_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
     closed_at   timestamptz)`,
  `CREATE UNIQUE INDEX scope_one_open ON flexlift.scope ((true)) WHERE state = 'open'`,

  // range_column: the key its parts are ranges of; null is ctid. copy_condition: the WHERE clause of an extension's
  // configuration table, empty for all of its rows; null for every other table
  `CREATE TABLE flexlift.table_load (
     table_oid        oid PRIMARY KEY,
     schema_name      text NOT NULL,
     table_name       text NOT NULL,
     estimated_bytes  bigint NOT NULL,
     estimated_rows   bigint NOT NULL,
     parts            integer NOT NULL,
     group_number     integer,
     range_column     text,
     copy_condition   text,
     source_scope     integer REFERENCES flexlift.scope,
     source_rows      bigint,
     source_checksum  text,
     target_rows      bigint,
     target_checksum  text)`,

  // a part is copied exactly when copied_at is set; the row is locked before the copy starts
  `CREATE TABLE flexlift.part (
     table_oid  oid NOT NULL REFERENCES flexlift.table_load,
     part       integer NOT NULL,
     range_from text,
     range_to   text,
     scope      integer REFERENCES flexlift.scope,
     rows       bigint,
     bytes      bigint,
     seconds    double precision,
     copies     integer NOT NULL DEFAULT 0,
     copied_by  text,
     copied_at  timestamptz,
     PRIMARY KEY (table_oid, part))`,

  // large objects with after_oid < oid <= upto_oid; null is open-ended. As a part, copied exactly when copied_at is set
  `CREATE TABLE flexlift.large_object_batch (
     batch      integer PRIMARY KEY,
     after_oid  oid,
     upto_oid   oid,
     scope      integer REFERENCES flexlift.scope,
     objects    bigint,
     bytes      bigint,
     seconds    double precision,
     copies     integer NOT NULL DEFAULT 0,
     copied_by  text,
     copied_at  timestamptz)`,
];
