/** Raised with every change of the tables below; a worker refuses a ledger newer than its own. */
export const LEDGER_SCHEMA_VERSION = 5;

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

  // the schema as pg_dump gave it, in the archive's own order; step kind 'entry' says which are executed, and for
  // which cutover, if for one. A statement that a rule leaves out is not kept. creator: the role that is given the object
  // and needs CREATE for it, creates_in: the schema, null: the database. key_index: builds the index of a constraint that
  // index_constraint then makes of it, both together what statement does; step kind 'key-index' says which are built
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
     key_index        text,
     index_constraint text,
     undo          text NOT NULL DEFAULT '',
     creator       text,
     creates_in    text,
     skipped_by    text)`,

  // a snapshot of the source, the first transaction id it does not see (0 where an earlier one was still in progress),
  // and who held it. What it covers: one large table, one group, or, with neither, the whole database; of each, at most
  // one is open. lsn: exactly the commits before it are in the snapshot; null offline
  `CREATE TABLE flexlift.scope (
     scope        integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
     table_oid    oid,
     group_number integer,
     snapshot     text NOT NULL,
     lsn          pg_lsn,
     keeper       text NOT NULL,
     source_xmax  bigint NOT NULL,
     state        text NOT NULL CHECK (state IN ('open', 'dead', 'complete')),
     opened_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
     closed_at    timestamptz)`,
  `CREATE UNIQUE INDEX scope_one_open
       ON flexlift.scope ((COALESCE(table_oid::int8, 0)), (COALESCE(group_number, 0))) WHERE state = 'open'`,

  // range_column: the key its parts are ranges of; null is ctid. copy_condition: the WHERE clause of an extension's
  // configuration table, empty for all of its rows; null for every other table.
  // Online: how its changes come (see StreamIdentity); its copy holds exactly the commits before copy_lsn; stopped_by is
  // the failure that stopped it; source_counters is what pg_stat_all_tables said at the copy of a table whose UPDATE and
  // DELETE are not published
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
     target_checksum  text,
     identity         text CHECK (identity IN ('key', 'full', 'append', 'late')),
     copy_lsn         pg_lsn,
     stream_state     text NOT NULL DEFAULT 'applied' CHECK (stream_state IN ('applied', 'stopped', 'recopying')),
     stopped_by       jsonb,
     source_counters  jsonb)`,

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

  // one row, online only: how far the source's changes are applied. Every commit that ends at or before lsn is on the
  // target, none after it. Every batch holds this row and reads the tables' states under it; whoever changes a
  // state locks it first. timeline is that of the source up to lsn, at first as the slot was made. cutover counts the
  // attempts; drift is what the source's schema changed since its dump. While all tables are copied anew and there is no
  // slot for it yet, lsn is one of WITHOUT_SLOT
  `CREATE TABLE flexlift.stream (
     singleton         boolean PRIMARY KEY DEFAULT true CHECK (singleton),
     slot              text NOT NULL,
     system_identifier text NOT NULL,
     timeline          integer,
     lsn               pg_lsn NOT NULL,
     commit_time       timestamptz,
     transactions      bigint NOT NULL DEFAULT 0,
     inserts           bigint NOT NULL DEFAULT 0,
     updates           bigint NOT NULL DEFAULT 0,
     deletes           bigint NOT NULL DEFAULT 0,
     truncates         bigint NOT NULL DEFAULT 0,
     replica_role      boolean NOT NULL,
     cutover           integer NOT NULL DEFAULT 0,
     catalog           jsonb,
     drift             jsonb NOT NULL DEFAULT '[]')`,

  // changes of a table that is being copied anew, as pgoutput sent them: the last Relation message and the change
  `CREATE TABLE flexlift.spool (
     change     bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
     table_oid  oid NOT NULL,
     commit_lsn pg_lsn NOT NULL,
     relation   bytea NOT NULL,
     message    bytea NOT NULL)`,
  `CREATE INDEX spool_by_table ON flexlift.spool (table_oid, change)`,

  // which rows a batch changed: their keys, each an array of text in the order of the identity's columns; null: more
  // than can be named. lsn is the batch's end
  `CREATE TABLE flexlift.changed_rows (
     table_oid oid NOT NULL,
     lsn       pg_lsn NOT NULL,
     keys      jsonb)`,
  `CREATE INDEX changed_rows_by_table ON flexlift.changed_rows (table_oid, lsn)`,

  // a table that was equal on both sides with exactly the commits before lsn
  `CREATE TABLE flexlift.proof (
     table_oid oid PRIMARY KEY REFERENCES flexlift.table_load,
     lsn       pg_lsn NOT NULL,
     rows      bigint NOT NULL,
     checksum  text NOT NULL,
     proven_at timestamptz NOT NULL DEFAULT pg_catalog.now())`,

  // the prover wants the applier to stand still, aims it at a snapshot of the source, and gets one of the target there
  `CREATE TABLE flexlift.proof_request (
     request    integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
     state      text NOT NULL CHECK (state IN ('wanted', 'held', 'aimed', 'reached', 'over')),
     aim_lsn    pg_lsn,
     snapshot   text,
     created_at timestamptz NOT NULL DEFAULT pg_catalog.now())`,
];
