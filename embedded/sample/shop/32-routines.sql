SET LOCAL ROLE shop_owner;

-- OUT parameters, defaults, VARIADIC, overloading, RETURNS TABLE, SETOF, polymorphic, settings of its own
CREATE FUNCTION shop.price_with_tax(price numeric, rate numeric DEFAULT 19, OUT gross numeric, OUT tax numeric)
  LANGUAGE plpgsql IMMUTABLE COST 5 AS $_$
BEGIN
  tax := round(price * rate / 100, 2);
  gross := price + tax;
END
$_$;
CREATE FUNCTION shop.label(VARIADIC parts text[]) RETURNS text
  LANGUAGE sql IMMUTABLE AS $$ SELECT array_to_string(parts, ' · ') $$;
CREATE FUNCTION shop.label(part integer) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''#'' || part';
CREATE FUNCTION shop.best_sellers(how_many integer DEFAULT 10) RETURNS TABLE (product uuid, "sold pieces" bigint)
  LANGUAGE sql STABLE ROWS 10 PARALLEL SAFE AS $$
    SELECT product_id, sum(quantity) FROM shop."Order Lines" GROUP BY product_id ORDER BY 2 DESC, 1 LIMIT how_many
  $$;
CREATE FUNCTION shop.orders_of(customer bigint) RETURNS SETOF shop.orders
  LANGUAGE sql STABLE AS $$ SELECT * FROM shop.orders WHERE customer_id = customer $$;
CREATE FUNCTION shop.first_of(anyarray) RETURNS anyelement LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT $1[1] $$;
CREATE FUNCTION shop.customer_count() RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, shop SET work_mem = '8MB'
  AS $$ SELECT count(*) FROM customers $$;

-- a body that reads like a dump: whoever cuts dumps apart by their text cuts here too
CREATE FUNCTION corners.looks_like_a_dump() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  RETURN '
--
-- Name: customers; Type: TABLE; Schema: shop; Owner: postgres
--

\restrict abc
DROP TABLE shop.customers;
COPY shop.customers (id) FROM stdin;
1
\.

-- Data for Name: x; Type: TABLE DATA; Schema: -; Owner: -
\connect postgres
SET default_tablespace = '''';
$$ $_$ $1 ;
';
END
$body$;

-- names a table that isn't there (yet): only its call would tell
CREATE FUNCTION corners.refers_to_nothing() RETURNS bigint LANGUAGE plpgsql
  AS $$ BEGIN RETURN (SELECT count(*) FROM corners.not_there); END $$;
CREATE FUNCTION corners."fünction ""x"".y"("p 1" text DEFAULT 'it''s', "🐘" integer DEFAULT -1) RETURNS text
  LANGUAGE sql AS $$ SELECT "p 1" || "🐘" $$;

CREATE PROCEDURE shop.close_cart(cart uuid, INOUT done boolean DEFAULT false) LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM shop.carts WHERE id = cart;
  done := FOUND;
END
$$;
CREATE PROCEDURE "Back Office"."raise pay"(percent numeric)
  LANGUAGE sql SECURITY DEFINER AS $$ UPDATE "Back Office".employees SET salary = salary * (1 + percent / 100)::double precision $$;

CREATE FUNCTION shop.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO shop.audit_log VALUES (clock_timestamp(), current_user, TG_OP || ' ' || TG_TABLE_NAME, to_json(TG_ARGV));
  RETURN NULL;
END
$$;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.changed := now(); RETURN NEW; END $$;
CREATE FUNCTION shop.check_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM shop."Order Lines" WHERE "order id" = NEW.id) THEN
    RAISE EXCEPTION 'order % has no line', NEW.id;
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION shop.save_setting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE shop.settings SET value = NEW.value WHERE name = OLD.name;
  RETURN NEW;
END
$$;
-- stops whoever inserts behind its back: a load that fires triggers fails here
CREATE FUNCTION corners.refuse() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN RAISE EXCEPTION 'triggers must not fire while rows are loaded'; END $$;
