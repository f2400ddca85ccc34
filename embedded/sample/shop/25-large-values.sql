SET LOCAL ROLE shop_owner;

-- Few rows and nearly all of them outside the heap: 1 to 8 MB each at 300 MB, less below.
CREATE TABLE shop.documents (
  id integer PRIMARY KEY,
  title text NOT NULL,
  plain text,
  stored_whole text,
  scan bytea,
  tree jsonb
);
ALTER TABLE shop.documents ALTER COLUMN stored_whole SET STORAGE EXTERNAL;
ALTER TABLE shop.documents ALTER COLUMN scan SET STORAGE EXTERNAL;
INSERT INTO shop.documents
SELECT n,
       'Document ' || n,
       CASE n WHEN 1 THEN repeat('all work and no play 🐘' || chr(10), size / 25) WHEN 2 THEN encode(pg_temp.bytes_of(n, size / 2), 'base64') END,
       CASE n WHEN 3 THEN encode(pg_temp.bytes_of(n, size * 3 / 8), 'hex') WHEN 4 THEN repeat('ß', size / 4) END,
       CASE n WHEN 5 THEN pg_temp.bytes_of(n, size) WHEN 6 THEN pg_temp.bytes_of(n, size / 8) || decode(repeat('00', size / 8), 'hex')
              WHEN 7 THEN '' END,
       CASE n WHEN 8 THEN (SELECT jsonb_object_agg('key ' || i, jsonb_build_array(i, pg_temp.uuid_of(i), i / 8.0))
                           FROM generate_series(1, size / 400) AS i) END
FROM generate_series(1, 8) AS n, (SELECT least(8388608, pg_temp.rows_for(27962))) AS s(size);

-- many rows, each just past the limit that sends a value out of its row
CREATE TABLE shop.product_images (
  product_id uuid NOT NULL REFERENCES shop.products, number smallint NOT NULL, image bytea NOT NULL,
  PRIMARY KEY (product_id, number)
) WITH (toast_tuple_target = 1024);
INSERT INTO shop.product_images
SELECT pg_temp.uuid_of(n), number, pg_temp.bytes_of(n + number, 900 + (n * 97 % 6000))
FROM generate_series(1, pg_temp.rows_for(3, 20)) AS n, generate_series(1, 2) AS number;
