SET LOCAL ROLE shop_owner;

CREATE PUBLICATION "shop feed" FOR TABLE shop.customers, shop.orders, corners."emoji 🐘" WITH (publish = 'insert, update');
CREATE PUBLICATION empty_feed;
COMMENT ON PUBLICATION "shop feed" IS 'for the data warehouse';
