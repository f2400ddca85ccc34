SET LOCAL ROLE shop_owner;

-- grouped by the key: pg_dump has to keep it back until the key is there
CREATE VIEW shop.orders_with_totals AS
  SELECT o.id, o.customer_id, o.status, o.placed, sum(l.quantity * l.unit_price) AS total, count(*) AS lines
  FROM shop.orders o JOIN shop."Order Lines" l ON l."order id" = o.id
  GROUP BY o.id;
CREATE VIEW shop.gold_customers WITH (security_barrier = true) AS
  SELECT id, email, name, loyalty FROM shop.customers WHERE loyalty = 'gold' WITH CASCADED CHECK OPTION;
CREATE VIEW shop.settings_editable AS SELECT name, value FROM shop.settings WHERE name <> '' WITH LOCAL CHECK OPTION;
ALTER VIEW shop.settings_editable ALTER COLUMN value SET DEFAULT 'true';
CREATE RECURSIVE VIEW shop.category_tree (id, depth, path) AS
  SELECT id, 1, title FROM shop.categories WHERE parent_id IS NULL
  UNION ALL
  SELECT c.id, t.depth + 1, t.path || ' > ' || c.title FROM shop.categories c JOIN category_tree t ON t.id = c.parent_id;
CREATE VIEW "Back Office"."all ""wheels""" AS
  SELECT v.plate AS "the plate", v.tableoid::regclass AS kind, v FROM "Back Office".vehicles v;
CREATE VIEW corners.no_columns_view AS SELECT FROM corners.no_columns;
CREATE VIEW corners.own_operators AS
  SELECT a.id, a.home OPERATOR(shop.=~=) b.home AS same_town, shop.longest(b.name) AS longest, shop.product(b.id) AS product
  FROM shop.customers a JOIN shop.customers b ON b.id <= 3 WHERE a.id <= 3 GROUP BY a.id, a.home, b.home;

-- one on another, the second with an expression of a user function; both with unique indexes
CREATE MATERIALIZED VIEW shop.sales_per_day AS
  SELECT (placed AT TIME ZONE 'UTC')::date AS day, count(*) AS orders, sum(total) AS revenue
  FROM shop.orders_with_totals GROUP BY 1
  WITH DATA;
CREATE UNIQUE INDEX sales_per_day_day ON shop.sales_per_day (day);
CREATE MATERIALIZED VIEW shop.sales_per_month WITH (fillfactor = 70) AS
  SELECT date_trunc('month', day::timestamp)::date AS month, sum(orders) AS orders, sum(revenue) AS revenue, max(day) AS last_day
  FROM shop.sales_per_day GROUP BY 1;
CREATE UNIQUE INDEX sales_per_month_month ON shop.sales_per_month (month);
CREATE INDEX sales_per_month_revenue ON shop.sales_per_month (revenue DESC);
CREATE MATERIALIZED VIEW shop.never_filled AS SELECT id, path FROM shop.events WHERE kind = 'search' WITH NO DATA;
CREATE INDEX never_filled_path ON shop.never_filled (path);
CREATE MATERIALIZED VIEW corners."matview ""🐘""" AS SELECT id, "🔑" FROM corners.sizes s, corners."emoji 🐘" e, LATERAL (SELECT s.width AS id) AS x;
-- populated, and without rows
CREATE MATERIALIZED VIEW corners.empty_but_filled AS SELECT * FROM corners.no_rows;
