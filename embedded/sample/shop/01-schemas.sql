CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA "Back Office" AUTHORIZATION shop_owner;
CREATE SCHEMA corners AUTHORIZATION shop_owner;
CREATE SCHEMA extensions;
CREATE SCHEMA "empty ""schema"" 🐘" AUTHORIZATION shop_owner;
GRANT USAGE ON SCHEMA extensions TO PUBLIC;

CREATE EXTENSION hstore SCHEMA extensions;
CREATE EXTENSION citext SCHEMA extensions;
CREATE EXTENSION ltree SCHEMA extensions;
CREATE EXTENSION pg_trgm SCHEMA extensions;
CREATE EXTENSION pgcrypto SCHEMA extensions;
CREATE EXTENSION "uuid-ossp" SCHEMA extensions;
CREATE EXTENSION btree_gist SCHEMA public;
COMMENT ON EXTENSION hstore IS 'preferences of customers';

-- the text search corner and the collations come first: columns and indexes name them
SET LOCAL ROLE shop_owner;

CREATE COLLATION shop.plain (LC_COLLATE = 'C', LC_CTYPE = 'C');
CREATE COLLATION shop.german_phonebook (PROVIDER = icu, LOCALE = 'de-u-co-phonebk');

CREATE TEXT SEARCH DICTIONARY shop.no_stop_words (TEMPLATE = pg_catalog.simple, ACCEPT = true);
CREATE TEXT SEARCH CONFIGURATION shop.product_search (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION shop.product_search
  ALTER MAPPING FOR asciiword, word, numword WITH shop.no_stop_words;
ALTER TEXT SEARCH CONFIGURATION shop.product_search DROP MAPPING FOR url_path;

-- given before the tables exist, so that all of them carry these rights
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT SELECT ON TABLES TO shop_reporting;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT USAGE ON SEQUENCES TO shop_app;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
