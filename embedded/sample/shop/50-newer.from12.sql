SET LOCAL ROLE shop_owner;

ALTER TABLE shop."Order Lines" ADD COLUMN total numeric GENERATED ALWAYS AS (quantity * unit_price) STORED;
ALTER TABLE shop.products ADD COLUMN "first tag" text GENERATED ALWAYS AS (lower(attributes -> 'tags' ->> 0) || '!') STORED;
-- generated columns only, and one between two others
CREATE TABLE corners.generated (only_one integer GENERATED ALWAYS AS (1 + 1) STORED);
INSERT INTO corners.generated SELECT FROM generate_series(1, 4);
CREATE TABLE corners.generated_between (a integer PRIMARY KEY, b integer GENERATED ALWAYS AS (a * 2) STORED, c text);
INSERT INTO corners.generated_between (a, c) SELECT n, 'c' || n FROM generate_series(-3, 3) AS n;
CREATE INDEX order_lines_total ON shop."Order Lines" (total) WHERE total > 1000;

-- a key that a partitioned table gives, and a reference to it
ALTER TABLE shop.invoices ADD COLUMN payment_id bigint, ADD COLUMN paid_on date;
UPDATE shop.invoices i SET payment_id = p.id, paid_on = p.paid_on FROM shop.payments p WHERE p.id = i.number AND i.number <= 10;
ALTER TABLE shop.invoices ADD FOREIGN KEY (payment_id, paid_on) REFERENCES shop.payments;

CREATE COLLATION corners.ignore_case (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE TABLE corners.nondeterministic (word text COLLATE corners.ignore_case PRIMARY KEY);
INSERT INTO corners.nondeterministic VALUES ('a'), ('B'), ('été');

CREATE TABLE corners.json_paths (path jsonpath);
INSERT INTO corners.json_paths VALUES ('$."a"[*] ? (@.b > 1 && @ like_regex "x")'), ('strict $.**{2 to last}'), (NULL);

CREATE STATISTICS shop.customers_mcv (mcv) ON loyalty, newsletter FROM shop.customers;
CREATE VIEW corners.materialized_cte AS
  WITH c AS MATERIALIZED (SELECT id FROM shop.customers WHERE id < 5) SELECT id FROM c;
