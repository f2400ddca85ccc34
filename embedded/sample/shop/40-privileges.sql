SET LOCAL ROLE shop_owner;

GRANT USAGE ON SCHEMA shop TO shop_app, shop_reporting;
GRANT USAGE, CREATE ON SCHEMA "Back Office" TO shop_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.carts, shop.orders, shop."Order Lines", shop.payments TO shop_app;
GRANT SELECT ON shop.support_tickets TO shop_app WITH GRANT OPTION;
-- columns
GRANT SELECT (id, name, loyalty), UPDATE (name, home) ON shop.customers TO shop_app;
GRANT INSERT ("order id", quantity), REFERENCES ("order id") ON shop."Order Lines" TO shop_reporting;
GRANT UPDATE ("a""b") ON corners."emoji 🐘" TO shop_reporting;
-- taken away: from a reader by default, from everybody, from the owner
REVOKE SELECT ON shop.audit_log FROM shop_reporting;
REVOKE ALL ON shop.settings FROM shop_owner;
GRANT ALL ON shop.settings TO shop_app;
GRANT SELECT ON shop.calendar, shop.exchange_rates TO PUBLIC;
GRANT TRIGGER, TRUNCATE ON shop.visits TO shop_app;
-- other kinds of objects
GRANT USAGE, SELECT, UPDATE ON SEQUENCE shop.invoice_numbers TO shop_app;
GRANT SELECT ON SEQUENCE corners."séq ""1"".x" TO PUBLIC;
GRANT EXECUTE ON FUNCTION shop.label(VARIADIC text[]), shop.customer_count() TO shop_app;
GRANT EXECUTE ON PROCEDURE shop.close_cart(uuid, boolean) TO shop_app WITH GRANT OPTION;
REVOKE USAGE ON TYPE shop.parcel FROM PUBLIC;
GRANT USAGE ON TYPE shop.parcel TO shop_app;
GRANT USAGE ON DOMAIN shop.sku TO shop_app;
GRANT SELECT ON shop.sales_per_day, shop.orders_with_totals TO shop_app;

ALTER DEFAULT PRIVILEGES IN SCHEMA "Back Office" GRANT SELECT, INSERT ON TABLES TO shop_app WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;

RESET ROLE;
GRANT USAGE ON LANGUAGE plpgsql TO shop_app WITH GRANT OPTION;
CREATE TABLE public.owned_by_the_superuser (id integer PRIMARY KEY, note text);
INSERT INTO public.owned_by_the_superuser VALUES (1, 'not of shop_owner');
GRANT SELECT ON public.owned_by_the_superuser TO shop_reporting;
GRANT CREATE ON SCHEMA public TO shop_app;
