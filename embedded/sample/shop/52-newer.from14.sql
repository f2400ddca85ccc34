SET LOCAL ROLE shop_owner;

CREATE TABLE corners.multiranges (
  id integer PRIMARY KEY, ints int4multirange, stamps tstzmultirange, own shop.time_multirange, many nummultirange[]
);
INSERT INTO corners.multiranges VALUES
  (1, '{[1,3),[5,9)}', '{(,2024-01-01 00:00+00),[2024-02-01 00:00+00,infinity]}', '{[08:00,12:00),[13:00,17:00)}', '{"{[1.1,2)}","{}"}'),
  (2, '{}', '{(,)}', '{}', '{}'), (3, NULL, NULL, NULL, NULL);
CREATE TABLE corners.infinite_numerics (value numeric);
INSERT INTO corners.infinite_numerics VALUES ('Infinity'), ('-Infinity'), ('NaN'), (0);
CREATE TABLE corners.compression (a text COMPRESSION pglz, b text);
INSERT INTO corners.compression VALUES (repeat('abc', 5000), repeat('xyz', 5000));

CREATE FUNCTION shop.open_orders(customer bigint DEFAULT 1) RETURNS bigint
  LANGUAGE sql STABLE
  BEGIN ATOMIC
    SELECT count(*) FROM shop.orders WHERE customer_id = customer AND status IN ('cart', 'paid');
  END;
CREATE PROCEDURE shop.count_orders(OUT how_many bigint)
  LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM shop.orders_with_totals; END;
CREATE STATISTICS shop.products_expressions ON (attributes ->> 'colour'), lower(title) FROM shop.products;
CREATE INDEX events_session_brin ON shop.events USING brin (session uuid_bloom_ops (n_distinct_per_range = 100));
CREATE INDEX payments_covering ON shop.payments USING gist (daterange(paid_on, paid_on, '[]')) INCLUDE (id);
ALTER TABLE shop.documents ALTER COLUMN plain SET COMPRESSION pglz;
