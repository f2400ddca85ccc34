SET LOCAL ROLE shop_owner;

CREATE TABLE corners.no_rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text, at timestamptz);
CREATE TABLE corners.no_columns ();
INSERT INTO corners.no_columns SELECT FROM generate_series(1, 3);
CREATE TABLE corners.no_columns_left (gone integer);
INSERT INTO corners.no_columns_left VALUES (1), (2);
ALTER TABLE corners.no_columns_left DROP COLUMN gone;
CREATE TABLE corners.nothing_at_all ();

-- 1,600 columns, as many as a table can have
DO $$
BEGIN
  EXECUTE (
    SELECT 'CREATE TABLE corners.wide (' || string_agg(
             format('c%s %s', lpad(c::text, 4, '0'), (ARRAY['smallint', 'boolean', 'integer', 'text'])[1 + c % 4]), ', ' ORDER BY c)
           || ')'
    FROM generate_series(1, 1600) AS c);
  EXECUTE (
    SELECT 'INSERT INTO corners.wide SELECT ' || string_agg(
             CASE c % 4 WHEN 0 THEN format('(n * %s)::smallint', c) WHEN 1 THEN format('(n + %s) %% 3 = 0', c)
                        WHEN 2 THEN format('CASE WHEN n %% 2 = 0 THEN n * %s END', c)
                        ELSE format('CASE WHEN n = %s %% 5 THEN ''t%s'' END', c, c) END, ', ' ORDER BY c)
           || ' FROM generate_series(1, 5) AS n'
    FROM generate_series(1, 1600) AS c);
END
$$;

-- inheritance: two parents, a column of the child's own, rows in every one of them
CREATE TABLE "Back Office".vehicles (
  plate text NOT NULL, bought date, wheels smallint DEFAULT 4 CHECK (wheels >= 0) NO INHERIT, seats smallint CHECK (seats < 100)
);
CREATE TABLE "Back Office".trucks (load_kg integer, PRIMARY KEY (plate)) INHERITS ("Back Office".vehicles);
CREATE TABLE "Back Office".boats (plate text NOT NULL, draught numeric DEFAULT 0.5);
CREATE TABLE "Back Office".amphibians (note text, seats smallint DEFAULT 2) INHERITS ("Back Office".vehicles, "Back Office".boats);
INSERT INTO "Back Office".vehicles VALUES ('V-1', '2020-02-29', 4, 5), ('V-2', NULL, 2, 1);
INSERT INTO "Back Office".trucks VALUES ('T-1', '2021-01-01', 6, 2, 7500);
INSERT INTO "Back Office".boats VALUES ('B-1', 1.25);
INSERT INTO "Back Office".amphibians VALUES ('A-1', '2022-02-02', 4, 2, 0.75, 'both');

-- a table of a type
CREATE TABLE corners.sizes OF shop.dimensions (width WITH OPTIONS NOT NULL, PRIMARY KEY (width, height));
INSERT INTO corners.sizes VALUES (1, 2, 3), (1.5, 2, NULL);

-- dropped columns, one added with a default after the rows (they don't hold it), storage of columns and table chosen
CREATE TABLE shop.campaigns (
  id integer GENERATED ALWAYS AS IDENTITY (START WITH -5 INCREMENT BY 3 MINVALUE -100 MAXVALUE 1000 CACHE 10 CYCLE),
  dropped_first text, title text NOT NULL, dropped_last bytea, budget numeric
) WITH (fillfactor = 80, autovacuum_enabled = false, toast.autovacuum_enabled = false);
INSERT INTO shop.campaigns (dropped_first, title, dropped_last) SELECT 'x', pg_temp.words(n, 2), '\x00' FROM generate_series(1, 30) AS n;
ALTER TABLE shop.campaigns DROP COLUMN dropped_first, DROP COLUMN dropped_last;
ALTER TABLE shop.campaigns ADD COLUMN channel text NOT NULL DEFAULT 'mail, "and" más';
ALTER TABLE shop.campaigns ADD COLUMN opened timestamptz DEFAULT '2024-05-05 05:05:05+00';
ALTER TABLE shop.campaigns ALTER COLUMN channel DROP DEFAULT;
ALTER TABLE shop.campaigns ALTER COLUMN title SET STORAGE EXTERNAL;
ALTER TABLE shop.campaigns ALTER COLUMN title SET STATISTICS 500;
ALTER TABLE shop.campaigns ALTER COLUMN budget SET (n_distinct = -0.25);
ALTER TABLE shop.campaigns ADD CONSTRAINT campaigns_pkey PRIMARY KEY (id) WITH (fillfactor = 90);
ALTER TABLE shop.campaigns CLUSTER ON campaigns_pkey;

-- rows that break a constraint which was added without looking at them
CREATE TABLE corners.not_valid (id integer PRIMARY KEY, customer_id bigint, price integer);
INSERT INTO corners.not_valid VALUES (1, 1, 5), (2, -1, -5);
ALTER TABLE corners.not_valid ADD CONSTRAINT price_positive CHECK (price > 0) NOT VALID;
ALTER TABLE corners.not_valid ADD FOREIGN KEY (customer_id) REFERENCES shop.customers NOT VALID;

-- an unlogged table with a sequence of its own
CREATE UNLOGGED TABLE corners.unlogged_counter (id serial PRIMARY KEY, n integer);
INSERT INTO corners.unlogged_counter (n) SELECT n FROM generate_series(1, 20) AS n;
