SET LOCAL ROLE shop_owner;

-- natural keys of dates, alone and with others
CREATE TABLE shop.calendar (day date PRIMARY KEY, holiday text);
INSERT INTO shop.calendar SELECT date '2023-12-25' + n, CASE WHEN n % 30 = 0 THEN 'Jour de fête' END
FROM generate_series(0, 400) AS n;
INSERT INTO shop.calendar VALUES ('infinity', 'never'), ('-infinity', NULL), ('4713-01-01 BC', 'the first'), ('5874897-12-31', 'the last');

CREATE TABLE shop.exchange_rates (
  day date NOT NULL REFERENCES shop.calendar, currency character(3) NOT NULL, rate numeric NOT NULL,
  PRIMARY KEY (currency, day)
);
INSERT INTO shop.exchange_rates
SELECT date '2023-12-25' + n, currency, (1 + pg_temp.mix(n) % 1000 / 700.0)::numeric(20, 10)
FROM generate_series(0, 200) AS n, unnest('{USD,CHF,JPY}'::text[]) AS currency;

-- keys of other types
CREATE TABLE corners.key_numeric (id numeric PRIMARY KEY, note text);
INSERT INTO corners.key_numeric VALUES ('-1e100', 'small'), (0, ''), (0.1, NULL), (1.000, 'scale'), ('NaN', 'not a number');
CREATE TABLE corners.key_timestamptz (at timestamptz PRIMARY KEY, value real);
INSERT INTO corners.key_timestamptz SELECT pg_temp.moment(n) + n * interval '1 microsecond', n FROM generate_series(-50, 50) AS n;
CREATE TABLE corners.key_bytea (id bytea PRIMARY KEY, n integer);
INSERT INTO corners.key_bytea SELECT pg_temp.bytes_of(n, n), n FROM generate_series(0, 40) AS n;
CREATE TABLE corners.key_enum (id shop.order_status PRIMARY KEY, n integer);
INSERT INTO corners.key_enum VALUES ('returned', 1), ('refused', 2), ('cart', 3);
CREATE TABLE corners.key_inet (id inet PRIMARY KEY, host macaddr UNIQUE);
INSERT INTO corners.key_inet VALUES ('10.0.0.1', '08:00:2b:01:02:03'), ('10.0.0.0/8', NULL), ('::1', NULL), ('fe80::1/64', NULL);
CREATE TABLE corners.key_char (id character(8) PRIMARY KEY, kind "char" NOT NULL);
INSERT INTO corners.key_char VALUES ('a', 'a'), ('a b', ' '), ('', ''), ('12345678', '"');
CREATE TABLE corners.key_composite (id shop.dimensions PRIMARY KEY);
INSERT INTO corners.key_composite VALUES ('(1,2,3)'), ('(1,,3)'), ('(0,0,0.01)');
CREATE TABLE corners.key_array (id integer[] PRIMARY KEY);
INSERT INTO corners.key_array VALUES ('{}'), ('{1,NULL}'), ('{{1},{2}}'), ('[-1:0]={7,8}');
CREATE TABLE corners.key_of_five (a smallint, b text, c boolean, d uuid, e timestamp, PRIMARY KEY (e, d, c, b, a));
INSERT INTO corners.key_of_five SELECT n % 3, chr(65 + n % 26), n % 2 = 0, pg_temp.uuid_of(n), '2024-01-01' FROM generate_series(1, 80) AS n;

-- keys that identify nothing: deferrable, with NULLs, partial, over an expression
CREATE TABLE corners.key_deferrable (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, note text);
INSERT INTO corners.key_deferrable SELECT n, NULL FROM generate_series(1, 20) AS n;
CREATE TABLE corners.unique_with_nulls (id integer UNIQUE, note text);
INSERT INTO corners.unique_with_nulls VALUES (1, 'a'), (NULL, 'b'), (NULL, 'b'), (2, NULL), (NULL, 'b');
CREATE TABLE corners.unique_in_part (id integer, state text, code text);
CREATE UNIQUE INDEX unique_in_part_open ON corners.unique_in_part (id) WHERE state = 'open';
CREATE UNIQUE INDEX unique_in_part_code ON corners.unique_in_part (lower(code) COLLATE "C" DESC NULLS LAST);
INSERT INTO corners.unique_in_part VALUES (1, 'open', 'A'), (1, 'closed', 'b'), (1, 'closed', NULL), (2, 'open', NULL);

-- each kind of replica identity
CREATE TABLE corners.identity_full (a text, b integer);
INSERT INTO corners.identity_full VALUES ('x', 1), ('x', 1), (NULL, NULL);
ALTER TABLE corners.identity_full REPLICA IDENTITY FULL;
CREATE TABLE corners.identity_index (a text NOT NULL, b integer);
CREATE UNIQUE INDEX identity_index_a ON corners.identity_index (a) INCLUDE (b);
INSERT INTO corners.identity_index VALUES ('x', 1), ('y', 1);
ALTER TABLE corners.identity_index REPLICA IDENTITY USING INDEX identity_index_a;
CREATE TABLE corners.identity_nothing (a integer PRIMARY KEY);
INSERT INTO corners.identity_nothing VALUES (-1), (0), (-2147483648), (2147483647);
ALTER TABLE corners.identity_nothing REPLICA IDENTITY NOTHING;
