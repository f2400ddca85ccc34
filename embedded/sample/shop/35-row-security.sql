SET LOCAL ROLE shop_owner;

ALTER TABLE shop.support_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.support_tickets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tickets ON shop.support_tickets TO shop_app USING (handled_by = current_user);
CREATE POLICY "open ones only" ON shop.support_tickets AS RESTRICTIVE FOR SELECT TO PUBLIC USING (open);
CREATE POLICY write_short ON shop.support_tickets FOR INSERT TO shop_app, shop_owner WITH CHECK (length(subject) < 60);
CREATE POLICY by_customer ON shop.support_tickets FOR UPDATE TO shop_reporting
  USING (EXISTS (SELECT FROM shop.customers c WHERE c.id = support_tickets.customer_id AND c.loyalty = 'gold'))
  WITH CHECK (false);
-- on, without a policy: nobody but the owner sees a row
ALTER TABLE corners.key_enum ENABLE ROW LEVEL SECURITY;
-- a policy that is not on
CREATE POLICY sleeping ON corners.key_inet FOR DELETE USING (host IS NULL);
