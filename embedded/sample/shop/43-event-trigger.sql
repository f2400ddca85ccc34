-- Made by a superuser only; other users load the sample without it.
DO $do$
BEGIN
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RETURN;
  END IF;
  CREATE FUNCTION "Back Office".keep_employees() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE schema_name = 'Back Office' AND object_name = 'employees') THEN
        RAISE EXCEPTION 'the employees stay';
      END IF;
    END
  $$;
  CREATE EVENT TRIGGER keep_employees ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP SCHEMA')
    EXECUTE PROCEDURE "Back Office".keep_employees();
  CREATE EVENT TRIGGER "asleep ""🐘""" ON ddl_command_start EXECUTE PROCEDURE "Back Office".keep_employees();
  ALTER EVENT TRIGGER "asleep ""🐘""" DISABLE;
  COMMENT ON EVENT TRIGGER keep_employees IS 'a guard';
END
$do$;
