SET LOCAL ROLE shop_owner;

CREATE TRIGGER shipments_refuse BEFORE DELETE ON shop.shipments FOR EACH ROW EXECUTE FUNCTION corners.refuse();
CREATE INDEX customers_preferences_sign ON shop.customers USING gist (preferences extensions.gist_hstore_ops (siglen = 32)) WHERE newsletter AND id < 2000;
CREATE PUBLICATION shipments_feed FOR TABLE shop.shipments WITH (publish_via_partition_root = true);
CREATE TABLE corners.types_from_13 (snapshot pg_snapshot, xid xid8, sort regcollation);
INSERT INTO corners.types_from_13 VALUES
  ('10:20:10,14,15', '18446744073709551615', 'shop.german_phonebook'), ('1:1:', '0', 'pg_catalog."C"'), (NULL, NULL, '-');
-- the expression of a generated column can go, its values stay
ALTER TABLE corners.generated_between ADD COLUMN d text GENERATED ALWAYS AS (c || '.') STORED;
ALTER TABLE corners.generated_between ALTER COLUMN d DROP EXPRESSION;
