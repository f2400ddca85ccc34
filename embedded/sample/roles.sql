-- Roles belong to the whole server: made only where they are missing, never changed, never dropped.
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['shop_owner', 'shop_app', 'shop_reporting'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL; -- here already, or made by another load this very moment
    END;
  END LOOP;
END
$$;
