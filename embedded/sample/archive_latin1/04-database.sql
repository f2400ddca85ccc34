DO $$
DECLARE
  this text := current_database();
BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = archiv', this);
  EXECUTE format('ALTER DATABASE %I SET client_encoding = ''LATIN1''', this);
  EXECUTE format('COMMENT ON DATABASE %I IS %L', this, 'Altes für später, in LATIN1');
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO shop_reporting', this);
END
$$;
