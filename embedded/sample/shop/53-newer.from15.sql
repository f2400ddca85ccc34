SET LOCAL ROLE shop_owner;

CREATE TABLE corners.nulls_not_distinct (a integer, b text, UNIQUE NULLS NOT DISTINCT (a, b));
INSERT INTO corners.nulls_not_distinct VALUES (1, NULL), (NULL, NULL), (NULL, 'x');
CREATE VIEW shop.my_tickets WITH (security_invoker = true) AS SELECT id, subject FROM shop.support_tickets;
CREATE TABLE corners.sets_some_null (
  product_id uuid, language character(2), note text,
  FOREIGN KEY (product_id, language) REFERENCES shop.product_texts ON DELETE SET NULL (language)
);
INSERT INTO corners.sets_some_null VALUES (pg_temp.uuid_of(1), 'de', 'x'), (NULL, 'en', 'y');
CREATE PUBLICATION filtered_feed FOR TABLE shop.products (id, sku, price) WHERE (id <> '00000000-0000-0000-0000-000000000000'), shop.calendar (day);

RESET ROLE;
CREATE PUBLICATION office_feed FOR TABLES IN SCHEMA "Back Office";
