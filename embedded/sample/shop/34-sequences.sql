SET LOCAL ROLE shop_owner;

CREATE SEQUENCE shop.invoice_numbers START WITH 100000 INCREMENT BY 10 CACHE 20;
SELECT nextval('shop.invoice_numbers'), nextval('shop.invoice_numbers');
CREATE SEQUENCE corners.descending INCREMENT BY -3 MAXVALUE -1 MINVALUE -9223372036854775808 START WITH -7;
SELECT nextval('corners.descending'), nextval('corners.descending');
CREATE SEQUENCE corners.cycling AS smallint MINVALUE 5 MAXVALUE 7 CYCLE;
SELECT nextval('corners.cycling') FROM generate_series(1, 5);
CREATE SEQUENCE corners.small AS smallint;
SELECT setval('corners.small', 32767);
CREATE SEQUENCE corners.never_called START WITH 42;
-- the same last value twice: once called, once not
CREATE SEQUENCE corners.called;
SELECT setval('corners.called', 9, true);
CREATE SEQUENCE corners.not_called;
SELECT setval('corners.not_called', 9, false);
CREATE SEQUENCE corners.at_its_end MAXVALUE 3;
SELECT setval('corners.at_its_end', 3);
CREATE SEQUENCE corners."séq ""1"".x" MAXVALUE 9223372036854775807 START WITH 9223372036854775806;
SELECT nextval('corners."séq ""1"".x"');
-- owned by a column that doesn't use it, used by a column that doesn't own it
CREATE SEQUENCE corners.owned OWNED BY corners.twin.id;
ALTER TABLE corners."Twin" ALTER COLUMN id SET DEFAULT nextval('corners."séq ""1"".x"');
