SET LOCAL ROLE shop_owner;

-- the larger one, without any key
CREATE TABLE archiv.belege (datum date, betrag numeric(12, 2), währung character(3), text character varying(200), beleg bytea);
INSERT INTO archiv.belege
SELECT date '1998-01-01' + n % 3000, pg_temp.mix(n) % 1000000 / 100.0, CASE n % 3 WHEN 0 THEN 'DEM' WHEN 1 THEN '¥' ELSE '£' END,
       'Größe und Maße: ' || pg_temp.words(n, 2) || ' «été», geprüft im Büro von Frau Weiß', CASE n % 20 WHEN 0 THEN pg_temp.bytes_of(n, 300) END
FROM generate_series(1, pg_temp.rows_for(300)) AS n;

-- bigint key, a reference, a large text
CREATE TABLE archiv.rechnungen (
  nr bigserial PRIMARY KEY, kunde integer NOT NULL, gestellt timestamp NOT NULL, offen boolean, posten jsonb, bemerkung text
);
INSERT INTO archiv.rechnungen
SELECT n, 1 + pg_temp.mix(n) % pg_temp.rows_for(40, 60), timestamp '1999-12-31 23:59:59' + n * interval '1 hour', n % 2 = 0,
       jsonb_build_object('stück', n % 7, 'größe', 'übergroß', 'maß', jsonb_build_array(n, 'ß')),
       CASE n % 10 WHEN 0 THEN repeat('naïve Façade, ', 5) WHEN 1 THEN E'\\.\n\tÄ' END
FROM generate_series(1, pg_temp.rows_for(120)) AS n;
SELECT setval('archiv.rechnungen_nr_seq', pg_temp.rows_for(120));
ALTER TABLE archiv.rechnungen ADD CONSTRAINT "rechnungen » kunde"
  FOREIGN KEY (kunde) REFERENCES archiv.kunden ON DELETE CASCADE;

-- by range over text with accents, with a default
CREATE TABLE archiv.briefe (absender text NOT NULL, jahr smallint NOT NULL, brief text, PRIMARY KEY (absender, jahr))
  PARTITION BY RANGE (absender);
CREATE TABLE archiv."briefe bis z" PARTITION OF archiv.briefe FOR VALUES FROM (MINVALUE) TO ('z');
CREATE TABLE archiv."briefe ab é" PARTITION OF archiv.briefe FOR VALUES FROM ('é') TO (MAXVALUE);
CREATE TABLE archiv.briefe_andere PARTITION OF archiv.briefe DEFAULT;
INSERT INTO archiv.briefe
SELECT pg_temp.pick('{Anna,élise,ümit,zoë,zz}', n) || n, 1980 + n % 20, pg_temp.words(n, 20) FROM generate_series(1, 300) AS n;

CREATE TABLE archiv.akten (id uuid PRIMARY KEY, titel text, akte bytea, volltext text);
INSERT INTO archiv.akten
SELECT pg_temp.uuid_of(n), 'Akte ' || n || ' § 1', pg_temp.bytes_of(n, size / n),
       CASE WHEN n % 2 = 0 THEN repeat('Paragraphenübermaß ', size / 40) END
FROM generate_series(1, 6) AS n, (SELECT least(4194304, pg_temp.rows_for(10000))) AS s(size);

CREATE TABLE archiv.leer (nr integer PRIMARY KEY, größe archiv."Größe" DEFAULT 'groß');
CREATE TABLE archiv.ohne_spalten ();
INSERT INTO archiv.ohne_spalten SELECT FROM generate_series(1, 2);
CREATE TABLE archiv."ein ""Name"" mit ¿?.Pünktchen" ("a.é" integer, "ü""" text);
INSERT INTO archiv."ein ""Name"" mit ¿?.Pünktchen" VALUES (1, 'é'), (2, NULL);
-- names of 63 bytes are 63 letters here, and 126 bytes in UTF-8
CREATE TABLE archiv.ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé (nr integer);
INSERT INTO archiv.ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé VALUES (63);
