SET LOCAL ROLE shop_owner;

-- serial key, a tree in ltree, a reference to itself
CREATE TABLE shop.categories (
  id serial PRIMARY KEY,
  parent_id integer REFERENCES shop.categories,
  path extensions.ltree NOT NULL UNIQUE,
  title text NOT NULL
);
INSERT INTO shop.categories (id, parent_id, path, title)
SELECT n,
       CASE WHEN n > 4 THEN n / 4 END,
       (CASE WHEN n > 4 THEN 'shop.c' || n / 4 || '.c' || n ELSE 'shop.c' || n END)::extensions.ltree,
       initcap(pg_temp.words(n, 2))
FROM generate_series(1, 60) AS n;
SELECT setval('shop.categories_id_seq', 60);

-- uuid key, domains, an array of an enum, a composite, a range, jsonb
CREATE TABLE shop.products (
  id uuid PRIMARY KEY DEFAULT extensions.uuid_generate_v4(),
  sku shop.sku NOT NULL UNIQUE,
  ean shop.ean,
  category_id integer NOT NULL REFERENCES shop.categories,
  title text NOT NULL,
  price shop.amount,
  discount shop.discount,
  sizes corners."Größe"[] NOT NULL DEFAULT '{}',
  packed shop.dimensions,
  on_sale daterange,
  attributes jsonb NOT NULL DEFAULT '{}'
);
INSERT INTO shop.products
SELECT pg_temp.uuid_of(n),
       'AB-' || lpad(n::text, 6, '0'),
       CASE WHEN n % 3 > 0 THEN lpad((n * 7919)::text, 13, '4') END,
       1 + n % 60,
       pg_temp.words(n, 3) || CASE n % 50 WHEN 0 THEN ' – für Käufer in 東京 🐘' WHEN 1 THEN E' "two"\nlines' ELSE '' END,
       pg_temp.mix(n) % 100000 / 100.0,
       CASE n % 4 WHEN 0 THEN n % 100 END,
       CASE n % 5 WHEN 0 THEN '{}' WHEN 1 THEN '{S,M,NULL}' ELSE '{L,"it''s big",🐘}' END::corners."Größe"[],
       ROW(n % 90, n % 70 + 0.5, n % 20)::shop.dimensions,
       daterange(date '2024-01-01' + n % 300, CASE WHEN n % 7 > 0 THEN date '2025-01-01' + n % 300 END),
       jsonb_build_object(
         'colour', pg_temp.pick('{red,green,blue,"ultra \"marine\""}', n),
         'weight', n % 5000 / 10.0,
         'tags', jsonb_build_array(pg_temp.words(n, 1), n % 10, NULL),
         'maker', jsonb_build_object('name', 'Müller & Söhne', 'since', 1900 + n % 120))
FROM generate_series(1, pg_temp.rows_for(10, 40)) AS n;

-- composite key with a character(2) in it
CREATE TABLE shop.product_texts (
  product_id uuid NOT NULL REFERENCES shop.products ON DELETE CASCADE,
  language character(2) NOT NULL,
  body text NOT NULL,
  words tsvector,
  PRIMARY KEY (product_id, language)
);
INSERT INTO shop.product_texts
SELECT pg_temp.uuid_of(n), language, body, to_tsvector('shop.product_search', body)
FROM generate_series(1, pg_temp.rows_for(10, 40)) AS n,
     unnest(ARRAY['de', 'en', 'fr']) WITH ORDINALITY AS l(language, place),
     LATERAL (SELECT language || ': ' || pg_temp.words(n * 3 + place, 25)) AS text(body);

-- no two prices of a product at the same time
CREATE TABLE shop.price_history (
  product_id uuid NOT NULL REFERENCES shop.products,
  valid tstzrange NOT NULL,
  price shop.amount,
  CONSTRAINT one_price_at_a_time EXCLUDE USING gist (product_id WITH =, valid WITH &&) DEFERRABLE INITIALLY IMMEDIATE
);
INSERT INTO shop.price_history
SELECT pg_temp.uuid_of(n),
       tstzrange(pg_temp.moment(v * 2592000), CASE WHEN v < 3 THEN pg_temp.moment((v + 1) * 2592000) END),
       pg_temp.mix(n, v) % 100000 / 100.0
FROM generate_series(1, pg_temp.rows_for(4, 20)) AS n, generate_series(0, 3) AS v;

-- text key, no serial anywhere
CREATE TABLE shop.settings (name text COLLATE shop.plain PRIMARY KEY, value jsonb, changed timestamptz);
INSERT INTO shop.settings VALUES
  ('currency', '"EUR"', '2024-01-01 12:00+00'),
  ('', 'null', NULL),
  ('Zürich', '{"tax": 8.1, "deep": [[[]], {}]}', '-infinity'),
  ('zürich', NULL, 'infinity'),
  (E'tab\tand\\backslash', '"\\.\n"', '0044-03-15 12:00:00+00 BC');
