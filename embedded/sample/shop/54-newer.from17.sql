SET LOCAL ROLE shop_owner;

CREATE TABLE corners.infinite_intervals (value interval);
INSERT INTO corners.infinite_intervals VALUES ('infinity'), ('-infinity'), ('0');
CREATE TABLE corners.identity_of_partitions (id bigint GENERATED ALWAYS AS IDENTITY, part integer) PARTITION BY LIST (part);
CREATE TABLE corners.identity_of_partitions_1 PARTITION OF corners.identity_of_partitions FOR VALUES IN (1);
INSERT INTO corners.identity_of_partitions (part) SELECT 1 FROM generate_series(1, 5);
GRANT MAINTAIN ON shop.events TO shop_app;
