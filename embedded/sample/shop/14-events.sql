SET LOCAL ROLE shop_owner;

-- the one large table: most of the sample's size is here, so that it is copied in parts
CREATE TABLE shop.events (
  id bigint NOT NULL,
  happened timestamptz NOT NULL,
  session uuid NOT NULL,
  kind text NOT NULL,
  path text,
  payload jsonb NOT NULL
);
INSERT INTO shop.events
SELECT n,
       pg_temp.moment(n * 37),
       pg_temp.uuid_of(n / 20),
       CASE n % 5 WHEN 0 THEN 'search' WHEN 1 THEN 'view' WHEN 2 THEN 'view' WHEN 3 THEN 'cart' ELSE 'leave' END,
       CASE WHEN n % 11 > 0 THEN '/products/' || n % 3000 || '/reviews?page=' || n % 17 END,
       jsonb_build_object(
         'product', 'AB-' || n % 999999,
         'price', pg_temp.mix(n) % 100000 / 100.0,
         'browser', CASE WHEN n % 3 = 0 THEN 'Mozilla/5.0 (X11; Linux x86_64)' ELSE 'Opera/9.80 (🐘; "quoted")' END,
         'referrer', 'https://search.example/?q=' || pg_temp.mix(n, 3),
         'position', jsonb_build_array(n % 1920, n % 1080))
FROM generate_series(1, pg_temp.rows_for(1620, 1000)) AS n;
ALTER TABLE shop.events ADD CONSTRAINT events_pkey PRIMARY KEY (id);

-- integer keys on both sides of zero, and one far away from all others: equal steps between the ends split it badly
CREATE TABLE shop.measurements (id bigint NOT NULL, sensor smallint NOT NULL, value double precision, note text);
INSERT INTO shop.measurements
SELECT n, n & 15, n / 7.0::double precision, CASE WHEN n % 100 = 0 THEN pg_temp.words(abs(n), 8) END
FROM generate_series(-pg_temp.rows_for(150), pg_temp.rows_for(150) - 1) AS n;
INSERT INTO shop.measurements VALUES
  (4611686018427387904, 1, 'NaN', 'far away'), (-9223372036854775808, 2, '-Infinity', 'the least bigint');
ALTER TABLE shop.measurements ADD CONSTRAINT measurements_pkey PRIMARY KEY (id);
