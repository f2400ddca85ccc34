SET LOCAL ROLE shop_owner;

CREATE INDEX events_happened ON shop.events USING brin (happened) WITH (pages_per_range = 32);
CREATE INDEX events_cart ON shop.events (session, happened DESC) INCLUDE (kind) WHERE kind = 'cart' AND path IS NOT NULL;
CREATE INDEX products_attributes ON shop.products USING gin (attributes jsonb_path_ops);
CREATE INDEX products_title_like ON shop.products USING gin (title extensions.gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX products_title_german ON shop.products (title COLLATE shop.german_phonebook NULLS FIRST, price DESC);
CREATE INDEX products_on_sale ON shop.products USING gist (on_sale);
CREATE INDEX products_colour ON shop.products ((attributes ->> 'colour'), upper(title)) WHERE discount IS NULL;
ALTER INDEX shop.products_colour ALTER COLUMN 2 SET STATISTICS 400;
CREATE INDEX product_texts_words ON shop.product_texts USING gin (words);
CREATE INDEX product_texts_english ON shop.product_texts USING gin (to_tsvector('pg_catalog.simple', body)) WHERE language = 'en';
CREATE INDEX categories_path ON shop.categories USING gist (path);
CREATE INDEX customers_name ON shop.customers (name text_pattern_ops, ((home).city));
CREATE INDEX customers_preferences ON shop.customers USING gin (preferences);
CREATE INDEX orders_customer ON shop.orders (customer_id, placed DESC NULLS LAST) WITH (fillfactor = 75);
CREATE INDEX orders_status ON shop.orders USING hash (status);
CREATE INDEX settings_by_prefix ON shop.settings USING spgist (name);
CREATE UNIQUE INDEX invoices_file ON shop.invoices (file) INCLUDE (filed, number);
ALTER TABLE shop.invoices ADD CONSTRAINT invoices_file_once UNIQUE USING INDEX invoices_file;
CREATE INDEX "index on Order Lines" ON shop."Order Lines" (product_id) INCLUDE ("order id", quantity);
CREATE INDEX carts_changed ON shop.carts (date_trunc('day', changed), customer_id);
CREATE INDEX object_names_rel ON corners.object_names (rel);

-- on partitioned tables: of all partitions, of one alone, of the parent alone
CREATE INDEX payments_order ON shop.payments (order_id);
CREATE INDEX payments_2025_method ON shop.payments_2025 (method) WHERE amount > 100;
CREATE INDEX stock_moves_shelf ON shop.stock_moves USING gist (shelf);
CREATE INDEX shipments_number ON shop.shipments (number, shipped_on);
CREATE INDEX returns_only ON ONLY shop.returns (id);

CREATE STATISTICS shop.orders_status_customer (dependencies, ndistinct) ON status, customer_id FROM shop.orders;
CREATE STATISTICS "Back Office"."stat of ""vehicles""" (ndistinct) ON plate, bought FROM "Back Office".vehicles;

-- foreign keys come after the rows
ALTER TABLE shop.orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer_id)
  REFERENCES shop.customers MATCH FULL ON UPDATE CASCADE ON DELETE RESTRICT;
ALTER TABLE shop."Order Lines" ADD CONSTRAINT "order lines → orders" FOREIGN KEY ("order id")
  REFERENCES shop.orders ON DELETE CASCADE;
ALTER TABLE shop."Order Lines" ADD FOREIGN KEY (product_id) REFERENCES shop.products DEFERRABLE INITIALLY IMMEDIATE;
ALTER TABLE shop.payments ADD CONSTRAINT payments_order_fkey FOREIGN KEY (order_id) REFERENCES shop.orders;
ALTER TABLE shop.carts ADD CONSTRAINT items_is_a_list CHECK (jsonb_typeof(items) = 'array') NO INHERIT;
