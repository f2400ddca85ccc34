SET LOCAL ROLE shop_owner;

-- by range, with a default partition and one in another schema; one was attached later and has its columns in another order
CREATE TABLE shop.payments (
  id bigint NOT NULL,
  paid_on date NOT NULL,
  order_id bigint NOT NULL,
  amount shop.amount,
  method text NOT NULL DEFAULT 'card',
  PRIMARY KEY (id, paid_on)
) PARTITION BY RANGE (paid_on);
CREATE TABLE shop.payments_2023 PARTITION OF shop.payments FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE "Back Office"."payments 2024" PARTITION OF shop.payments FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.payments_rest PARTITION OF shop.payments DEFAULT;
CREATE TABLE shop.payments_2025 (
  gone text, method text NOT NULL, amount shop.amount, order_id bigint NOT NULL, paid_on date NOT NULL, id bigint NOT NULL
);
ALTER TABLE shop.payments_2025 DROP COLUMN gone;
ALTER TABLE shop.payments ATTACH PARTITION shop.payments_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE shop.payments_2025 ALTER COLUMN method SET DEFAULT 'transfer';
INSERT INTO shop.payments
SELECT n, date '2023-06-01' + (n % 1300), 1 + pg_temp.mix(n) % pg_temp.rows_for(150, 200), pg_temp.mix(n) % 90000 / 100.0,
       pg_temp.pick('{card,transfer,invoice}', n)
FROM generate_series(1, pg_temp.rows_for(150)) AS n;

-- by hash, one of the four left empty
CREATE TABLE shop.stock_moves (
  product_id uuid NOT NULL, moved_at timestamptz NOT NULL, quantity integer NOT NULL, shelf extensions.ltree
) PARTITION BY HASH (product_id);
CREATE TABLE shop.stock_moves_0 PARTITION OF shop.stock_moves FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE shop.stock_moves_1 PARTITION OF shop.stock_moves FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE shop.stock_moves_2 PARTITION OF shop.stock_moves FOR VALUES WITH (MODULUS 4, REMAINDER 2) WITH (fillfactor = 70);
CREATE TABLE shop.stock_moves_3 PARTITION OF shop.stock_moves FOR VALUES WITH (MODULUS 4, REMAINDER 3);
INSERT INTO shop.stock_moves
SELECT pg_temp.uuid_of(1 + n % pg_temp.rows_for(10, 40)), pg_temp.moment(n), n % 41 - 20, ('hall.a' || n % 20)::extensions.ltree
FROM generate_series(1, pg_temp.rows_for(150)) AS n;
DELETE FROM shop.stock_moves_3;

-- three levels: list of countries, then years, then hash; NULL has a partition of its own
CREATE TABLE shop.shipments (
  country text, shipped_on date NOT NULL, number integer NOT NULL, weight numeric, route point[]
) PARTITION BY LIST (country);
CREATE TABLE shop.shipments_nowhere PARTITION OF shop.shipments FOR VALUES IN (NULL);
CREATE TABLE shop."shipments Österreich" PARTITION OF shop.shipments FOR VALUES IN ('AT', 'DE', 'it''s');
CREATE TABLE shop.shipments_world PARTITION OF shop.shipments DEFAULT PARTITION BY RANGE (shipped_on, number);
CREATE TABLE shop.shipments_world_old PARTITION OF shop.shipments_world
  FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2024-06-01', 0);
CREATE TABLE shop.shipments_world_new PARTITION OF shop.shipments_world
  FOR VALUES FROM ('2024-06-01', 0) TO (MAXVALUE, MAXVALUE) PARTITION BY HASH (number);
CREATE TABLE shop.shipments_world_new_a PARTITION OF shop.shipments_world_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shop.shipments_world_new_b PARTITION OF shop.shipments_world_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO shop.shipments
SELECT CASE n % 6 WHEN 0 THEN NULL WHEN 1 THEN 'AT' WHEN 2 THEN 'it''s' WHEN 3 THEN 'FR' ELSE 'US' END,
       date '2024-01-01' + n % 365, n, n % 1000 / 3.0,
       CASE WHEN n % 5 = 0 THEN ARRAY[point(n % 90, n % 180), point(0.1, -0.25)] END
FROM generate_series(1, pg_temp.rows_for(60)) AS n;

-- a partitioned table that has no partition
CREATE TABLE shop.returns (id bigint, reason text) PARTITION BY LIST (reason);

-- partitioned by an expression
CREATE TABLE shop.visits (visitor text, at timestamp) PARTITION BY LIST (lower(visitor));
CREATE TABLE shop.visits_anna PARTITION OF shop.visits FOR VALUES IN ('anna');
CREATE TABLE shop.visits_others PARTITION OF shop.visits DEFAULT;
INSERT INTO shop.visits VALUES ('Anna', '2024-01-01'), ('ANNA', '2024-01-02'), ('Bob', 'infinity'), (NULL, NULL);
