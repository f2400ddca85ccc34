SET LOCAL ROLE shop_owner;

CREATE TABLE corners."naïve.tàble" ("ключ" serial PRIMARY KEY, "väl.ue" text, "SELECT" integer DEFAULT 1);
INSERT INTO corners."naïve.tàble" ("väl.ue") VALUES ('ü'), ('.'), (NULL);

CREATE TABLE corners."emoji 🐘" ("🔑" integer PRIMARY KEY, "a""b" text CONSTRAINT "no ""?" CHECK ("a""b" <> '?'));
INSERT INTO corners."emoji 🐘" SELECT n, repeat('🐘', n) FROM generate_series(0, 5) AS n;

CREATE TABLE corners."say ""hi""" (id integer PRIMARY KEY, "it's" text DEFAULT 'it''s \"', "\" text);
CREATE INDEX "index ""on"" it" ON corners."say ""hi""" ("it's", "\");
INSERT INTO corners."say ""hi""" (id, "\") VALUES (1, '\\'), (2, E'\\.');

CREATE TABLE corners."new
line" (id integer PRIMARY KEY, "column
; DROP TABLE x; --" text, "	tab" integer);
INSERT INTO corners."new
line" VALUES (1, 'one', 2);

-- 63 bytes, the longest name there is
CREATE TABLE corners.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_012345678 (
  abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_01234567a integer PRIMARY KEY,
  abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_01234567b text
);
INSERT INTO corners.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_012345678 VALUES (1, 'long');
CREATE TABLE corners."ééééééééééééééééééééééééééééééé1" (id integer);
INSERT INTO corners."ééééééééééééééééééééééééééééééé1" VALUES (31);

-- words of the language, %-signs, and what a shell, a format string or a connection string would take apart
CREATE TABLE corners."table" ("user" name, "order" integer, "group" text, "limit" bigint, "all" oid);
INSERT INTO corners."table" VALUES ('user', 1, 'group', 9, 4294967295);
CREATE TABLE corners."%s $1 :x {0} `id` $(id)" ("%I" text, "$1" text, ":'x'" text);
INSERT INTO corners."%s $1 :x {0} `id` $(id)" VALUES ('%L', '$$', '$1');
CREATE TABLE corners." " (" " integer, "  " integer);
INSERT INTO corners." " VALUES (1, 2);
-- two names that are one to whoever folds case
CREATE TABLE corners."Twin" (id integer);
CREATE TABLE corners.twin (id integer);
INSERT INTO corners."Twin" VALUES (1);
INSERT INTO corners.twin VALUES (2);
-- two names that look alike: composed and decomposed
CREATE TABLE corners.U&"caf\00E9" (id integer);
CREATE TABLE corners.U&"cafe\0301" (id integer);
INSERT INTO corners.U&"caf\00E9" VALUES (1);
INSERT INTO corners.U&"cafe\0301" VALUES (2);
-- in a schema that looks like a table with a schema
CREATE TABLE "empty ""schema"" 🐘"."shop.orders" (id integer PRIMARY KEY);

-- names of a system's columns and of a COPY's end
CREATE TABLE corners."\." ("\N" text, "null" text);
INSERT INTO corners."\." VALUES ('\N', NULL);
