SET LOCAL ROLE shop_owner;

CREATE TABLE corners.virtual_columns (a integer PRIMARY KEY, b integer GENERATED ALWAYS AS (a * 2) VIRTUAL, c text);
INSERT INTO corners.virtual_columns (a, c) VALUES (1, 'x'), (2, NULL);
CREATE TABLE corners.temporal_keys (id integer, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
INSERT INTO corners.temporal_keys VALUES (1, '[2024-01-01,2024-02-01)'), (1, '[2024-02-01,2024-03-01)');
CREATE TABLE corners.temporal_references (
  id integer, valid daterange, FOREIGN KEY (id, PERIOD valid) REFERENCES corners.temporal_keys (id, PERIOD valid)
);
INSERT INTO corners.temporal_references VALUES (1, '[2024-01-15,2024-02-15)');
CREATE TABLE corners.not_enforced (
  a integer CONSTRAINT "a is ""there""" NOT NULL, b integer CHECK (b > 0) NOT ENFORCED, c integer
);
INSERT INTO corners.not_enforced VALUES (1, -1, NULL);
ALTER TABLE corners.not_enforced ADD CONSTRAINT c_is_there NOT NULL c NOT VALID;
