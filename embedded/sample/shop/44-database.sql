-- What belongs to the database itself. The settings reach new sessions only, and are meant to get in a careless one's way.
DO $$
DECLARE
  setting text;
  this text := current_database();
BEGIN
  FOREACH setting IN ARRAY ARRAY[
    'search_path = shop, extensions, public, "Back Office"',
    'TimeZone = ''Europe/Berlin''',
    'DateStyle = ''SQL, DMY''',
    'IntervalStyle = ''sql_standard''',
    'bytea_output = ''escape''',
    'extra_float_digits = -3',
    'default_text_search_config = ''pg_catalog.german''',
    'lock_timeout = ''20s''',
    'shop.tenant = ''Zürich "1", it''''s \ here'''
  ] LOOP
    EXECUTE format('ALTER DATABASE %I SET ', this) || setting;
  END LOOP;
  EXECUTE format('ALTER ROLE shop_app IN DATABASE %I SET statement_timeout = ''5s''', this);
  EXECUTE format('ALTER ROLE shop_reporting IN DATABASE %I SET default_transaction_read_only = on', this);
  EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 60', this);
  EXECUTE format('COMMENT ON DATABASE %I IS %L', this, E'The sample''s web shop 🐘\n"UTF-8"');
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', this);
  EXECUTE format('GRANT CREATE ON DATABASE %I TO shop_app WITH GRANT OPTION', this);
END
$$;
