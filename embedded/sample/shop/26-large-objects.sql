-- Large objects with numbers of their own: 100 small ones, and corners.
DO $$
DECLARE
  n integer;
BEGIN
  FOR n IN 1..100 LOOP
    PERFORM lo_from_bytea((500000 + n)::oid, pg_temp.bytes_of(n, n * 37));
    IF n % 3 = 0 THEN
      EXECUTE format('ALTER LARGE OBJECT %s OWNER TO shop_owner', 500000 + n);
    END IF;
    IF n % 10 = 0 THEN
      EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', 500000 + n, 'invoice ' || n || E', it''s "signed"\nand sealed');
    END IF;
    IF n % 25 = 0 THEN
      EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO shop_reporting', 500000 + n);
      EXECUTE format('GRANT SELECT, UPDATE ON LARGE OBJECT %s TO shop_app', 500000 + n);
    END IF;
  END LOOP;
END
$$;
-- none of it, a hole in the middle, a number past the signed ones, and 8 MB (at 300 MB)
SELECT lo_create(500200);
SELECT lo_create(500201);
SELECT lo_put(500201, 100000, '\x00010203');
SELECT lo_from_bytea(4000000000, 'after the hole');
SELECT lo_from_bytea(500202, pg_temp.bytes_of(77, least(8388608, pg_temp.rows_for(27962))));
REVOKE ALL ON LARGE OBJECT 500202 FROM CURRENT_USER;

SET LOCAL ROLE shop_owner;
CREATE TABLE shop.invoices (number integer PRIMARY KEY, file oid, filed date NOT NULL);
INSERT INTO shop.invoices SELECT n, 500000 + n, date '2024-01-01' + n FROM generate_series(1, 100) AS n;
