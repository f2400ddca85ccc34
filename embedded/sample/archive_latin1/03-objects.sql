SELECT lo_from_bytea((600000 + n)::oid, pg_temp.bytes_of(n, n * 1000)) FROM generate_series(1, 5) AS n;
COMMENT ON LARGE OBJECT 600001 IS 'Gebühren für die Größe';
ALTER LARGE OBJECT 600002 OWNER TO shop_owner;
GRANT SELECT ON LARGE OBJECT 600002 TO shop_reporting;

SET LOCAL ROLE shop_owner;

CREATE VIEW archiv."Übersicht" AS
  SELECT k.nr, k.name AS "Käufer", count(r.nr) AS "Zahl", coalesce((k.anschrift).ort, 'Überall') AS ort
  FROM archiv.kunden k LEFT JOIN archiv.rechnungen r ON r.kunde = k.nr GROUP BY k.nr;
CREATE MATERIALIZED VIEW archiv.umsätze AS
  SELECT währung, extract(year FROM datum)::integer AS jahr, sum(betrag) AS summe FROM archiv.belege GROUP BY 1, 2;
CREATE UNIQUE INDEX umsätze_je_jahr ON archiv.umsätze (währung, jahr);

CREATE SEQUENCE archiv.zähler INCREMENT BY -1 MAXVALUE 10 MINVALUE -10 START WITH 3;
SELECT nextval('archiv.zähler'), nextval('archiv.zähler');

CREATE FUNCTION archiv.grüße(an text DEFAULT 'Ümit') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  -- ein Kommentar mit ß, é und ¿
  RETURN 'Schöne Grüße an ' || an || ' für 5 £';
END
$$;
CREATE FUNCTION archiv.ändern() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.bemerkung := 'geändert'; RETURN NEW; END $$;
CREATE TRIGGER "rechnungen ändern" BEFORE UPDATE ON archiv.rechnungen
  FOR EACH ROW WHEN (OLD.bemerkung = 'ß') EXECUTE FUNCTION archiv.ändern('é');
CREATE RULE "nie löschen" AS ON DELETE TO archiv."Straßen" WHERE OLD."Straße" = 'Straße ß' DO INSTEAD NOTHING;

GRANT USAGE ON SCHEMA archiv TO shop_reporting;
GRANT SELECT ("Straße") ON archiv."Straßen" TO shop_reporting;
COMMENT ON TABLE archiv.kunden IS 'Käufer, ¼ davon groß';
COMMENT ON COLUMN archiv.kunden.größe IS 'in Maßen';
