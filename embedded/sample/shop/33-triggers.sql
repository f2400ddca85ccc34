SET LOCAL ROLE shop_owner;

CREATE TRIGGER carts_touch BEFORE UPDATE OF items, customer_id ON shop.carts
  FOR EACH ROW WHEN (OLD.items IS DISTINCT FROM NEW.items) EXECUTE FUNCTION shop.touch();
CREATE TRIGGER customers_note AFTER DELETE OR TRUNCATE ON shop.customers
  FOR EACH STATEMENT EXECUTE FUNCTION shop.note_change('a', 'it''s', '\x', '');
CREATE TRIGGER settings_note AFTER INSERT ON shop.settings
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION shop.note_change();
ALTER TABLE shop.settings DISABLE TRIGGER settings_note;
CREATE TRIGGER orders_note AFTER UPDATE ON shop.orders
  FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION shop.note_change('status');
ALTER TABLE shop.orders ENABLE ALWAYS TRIGGER orders_note;
CREATE CONSTRAINT TRIGGER orders_have_lines AFTER INSERT ON shop.orders
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.check_order();
CREATE TRIGGER payments_note AFTER INSERT ON shop.payments FOR EACH ROW EXECUTE FUNCTION shop.note_change();
CREATE TRIGGER settings_editable_save INSTEAD OF UPDATE ON shop.settings_editable
  FOR EACH ROW EXECUTE FUNCTION shop.save_setting();

-- what a load must not set off: one fires always, one on a replica only
CREATE TRIGGER "refuse ""always""" BEFORE INSERT ON corners.identity_full FOR EACH ROW EXECUTE FUNCTION corners.refuse();
ALTER TABLE corners.identity_full ENABLE ALWAYS TRIGGER "refuse ""always""";
CREATE TRIGGER refuse_on_replica BEFORE INSERT ON corners.identity_index FOR EACH ROW EXECUTE FUNCTION corners.refuse();
ALTER TABLE corners.identity_index ENABLE REPLICA TRIGGER refuse_on_replica;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON corners.identity_nothing FOR EACH STATEMENT EXECUTE FUNCTION corners.refuse();

-- rules: on tables, on a view, one of them off
CREATE RULE keep_calendar AS ON DELETE TO shop.calendar WHERE OLD.holiday IS NOT NULL DO INSTEAD NOTHING;
CREATE RULE log_rates AS ON UPDATE TO shop.exchange_rates
  DO ALSO INSERT INTO shop.audit_log (who, what) VALUES (current_user, 'rate of ' || NEW.currency);
CREATE RULE "no ""more""" AS ON INSERT TO corners.unique_with_nulls DO INSTEAD NOTHING;
ALTER TABLE corners.unique_with_nulls DISABLE RULE "no ""more""";
CREATE RULE insert_gold AS ON INSERT TO shop.gold_customers
  DO INSTEAD INSERT INTO shop.customers (email, name, loyalty) VALUES (NEW.email, NEW.name, 'gold');
