/** The migrated database. */
export const DATABASE = 'soak';

export const ACCOUNTS = 50_000;
export const CUSTOMERS = 2_000;
export const SEATS = 1_000;

/** Tables with every kind of identity, and first rows; some 60 MB. */
export const SCHEMA = `
  CREATE TABLE accounts (
    id      bigint PRIMARY KEY,
    balance numeric NOT NULL DEFAULT 0,
    note    text,
    -- stored out of line: an UPDATE of another column does not send it
    paper   text);
  ALTER TABLE accounts ALTER COLUMN paper SET STORAGE EXTERNAL;
  CREATE TABLE orders (
    customer int NOT NULL,
    number   int NOT NULL,
    state    text NOT NULL DEFAULT 'open',
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer, number));
  CREATE TABLE lines (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer int NOT NULL,
    number   int NOT NULL,
    amount   numeric(12, 2) NOT NULL,
    twice    numeric GENERATED ALWAYS AS (amount * 2) STORED,
    FOREIGN KEY (customer, number) REFERENCES orders ON DELETE CASCADE);
  CREATE TABLE "Seats ""x""" (id int PRIMARY KEY, holder text UNIQUE);
  CREATE TABLE scratch (id int PRIMARY KEY, filler text);
  CREATE TABLE keyless (at timestamptz NOT NULL, what text);
  CREATE TABLE whole_rows (a int, b text);
  ALTER TABLE whole_rows REPLICA IDENTITY FULL;
  CREATE TABLE events (id bigint NOT NULL, kind int NOT NULL, body jsonb, PRIMARY KEY (kind, id)) PARTITION BY LIST (kind);
  CREATE TABLE events_0 PARTITION OF events FOR VALUES IN (0);
  CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
  CREATE TABLE events_rest PARTITION OF events DEFAULT;
  CREATE SEQUENCE numbers;
  INSERT INTO accounts SELECT g, g, 'account ' || g, CASE WHEN g % 20 = 0 THEN repeat(md5(g::text), 200) END
    FROM generate_series(1, ${ACCOUNTS}) g;
  INSERT INTO orders SELECT c, n FROM generate_series(1, ${CUSTOMERS}) c, generate_series(1, 20) n;
  INSERT INTO lines (customer, number, amount) SELECT customer, number, number FROM orders, generate_series(1, 3);
  INSERT INTO "Seats ""x""" SELECT g, 'guest ' || g FROM generate_series(1, ${SEATS}) g WHERE g % 2 = 0;
  INSERT INTO "Seats ""x""" SELECT g, NULL FROM generate_series(1, ${SEATS}) g WHERE g % 2 = 1;
  INSERT INTO whole_rows SELECT g % 500, 'b ' || g FROM generate_series(1, 2000) g;
  INSERT INTO events SELECT g, g % 4, jsonb_build_object('n', g) FROM generate_series(1, 20000) g;
  ANALYZE`;
