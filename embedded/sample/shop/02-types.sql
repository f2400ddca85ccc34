SET LOCAL ROLE shop_owner;

CREATE FUNCTION shop.is_ean(code text) RETURNS boolean
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT code ~ '^[0-9]{13}$' $$;
GRANT EXECUTE ON FUNCTION shop.is_ean(text) TO shop_app, shop_reporting;

-- enums: two labels are added later, so that their order is not the order of their numbers
CREATE TYPE shop.order_status AS ENUM ('cart', 'paid', 'shipped', 'delivered');
ALTER TYPE shop.order_status ADD VALUE 'returned' AFTER 'delivered';
ALTER TYPE shop.order_status ADD VALUE 'refused' BEFORE 'shipped';
CREATE TYPE shop.loyalty AS ENUM ('none', 'silver', 'gold');
CREATE TYPE corners."Größe" AS ENUM ('S', 'M', 'L', 'it''s big', '"X"L', '🐘');

CREATE DOMAIN shop.sku AS text CHECK (VALUE ~ '^[A-Z]{2}-[0-9]{6}$');
CREATE DOMAIN shop.ean AS text CONSTRAINT thirteen_digits CHECK (shop.is_ean(VALUE));
CREATE DOMAIN shop.amount AS numeric(12, 2) DEFAULT 0 NOT NULL CHECK (VALUE >= 0);
CREATE DOMAIN shop.discount AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN shop.big_discount AS shop.discount CHECK (VALUE > 50);
CREATE DOMAIN shop.email AS extensions.citext CHECK (VALUE LIKE '%_@_%');
CREATE DOMAIN corners.labels AS text[] CHECK (cardinality(VALUE) < 10);

-- an attribute is dropped: the numbers of the others have a gap
CREATE TYPE shop.address AS (street text, legacy_code integer, zip varchar(10), city text, country character(2));
ALTER TYPE shop.address DROP ATTRIBUTE legacy_code;
CREATE TYPE shop.dimensions AS (width numeric(8, 2), height numeric(8, 2), depth numeric(8, 2));
CREATE TYPE shop.parcel AS (weight_grams integer, size shop.dimensions, labels text[], status shop.order_status);
CREATE DOMAIN corners.flat_dimensions AS shop.dimensions CHECK ((VALUE).depth < 10);

CREATE FUNCTION shop.seconds_between(later time, earlier time) RETURNS double precision
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT extract(epoch FROM later - earlier)::double precision $$;
CREATE TYPE shop.time_range AS RANGE (SUBTYPE = time, SUBTYPE_DIFF = shop.seconds_between);
CREATE TYPE corners.name_range AS RANGE (SUBTYPE = text, COLLATION = "C");
CREATE DOMAIN shop.opening_hours AS shop.time_range CHECK (NOT isempty(VALUE));

-- casts between types of its own, one of them implicit
CREATE TYPE shop.celsius AS (degrees numeric);
CREATE TYPE shop.fahrenheit AS (degrees numeric);
CREATE FUNCTION shop.to_fahrenheit(shop.celsius) RETURNS shop.fahrenheit
  LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT ROW($1.degrees * 9 / 5 + 32)::shop.fahrenheit $$;
CREATE FUNCTION shop.to_celsius(shop.fahrenheit) RETURNS shop.celsius
  LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT ROW(($1.degrees - 32) * 5 / 9)::shop.celsius $$;
CREATE CAST (shop.celsius AS shop.fahrenheit) WITH FUNCTION shop.to_fahrenheit(shop.celsius);
CREATE CAST (shop.fahrenheit AS shop.celsius) WITH FUNCTION shop.to_celsius(shop.fahrenheit) AS ASSIGNMENT;

CREATE FUNCTION shop.same_town(shop.address, shop.address) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT ($1.city, $1.country) IS NOT DISTINCT FROM ($2.city, $2.country) $$;
CREATE OPERATOR shop.=~= (
  LEFTARG = shop.address, RIGHTARG = shop.address, FUNCTION = shop.same_town, COMMUTATOR = OPERATOR(shop.=~=)
);

CREATE FUNCTION shop.longer_of(text, text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN length($2) > coalesce(length($1), -1) THEN $2 ELSE $1 END $$;
CREATE AGGREGATE shop.longest(text) (
  SFUNC = shop.longer_of, STYPE = text, COMBINEFUNC = shop.longer_of, PARALLEL = SAFE
);
CREATE AGGREGATE shop.product(numeric) (SFUNC = pg_catalog.numeric_mul, STYPE = numeric, INITCOND = '1');
