import { ACCOUNTS, CUSTOMERS, SEATS } from './schema';

/** One transaction's statements, of whole SQL without parameters; it may also end in a rollback of its own. */
export type Transaction = string[];

/** Larger than a part of one transaction that the applier takes at a time. */
const BULK_ROWS = 12_000;

type Make = (session: number) => Transaction;

/** How often each kind comes, relative to the others. */
const KINDS: [weight: number, make: Make][] = [
  [10, () => [`UPDATE accounts SET balance = balance + ${random(1, 99)} WHERE id = ${account()}`]],
  [
    3,
    () => [
      `UPDATE accounts SET paper = repeat(md5(random()::text), ${random(1, 300)}) WHERE id = ${account()}`,
    ],
  ],
  [3, () => [`DELETE FROM accounts WHERE id = ${account()}`]],
  [6, insertAccount],
  [2, () => [`UPDATE accounts SET id = id + ${ACCOUNTS} WHERE id = ${account()} AND id < ${ACCOUNTS * 8}`]],
  [6, placeOrder],
  [3, () => [`DELETE FROM orders WHERE customer = ${customer()} AND number = ${random(1, 40)}`]],
  [6, () => [`INSERT INTO keyless VALUES (clock_timestamp(), 'event ' || nextval('numbers'))`]],
  [3, handOver],
  [3, () => [`UPDATE whole_rows SET b = b || '.' WHERE a = ${random(0, 499)} AND length(b) < 40`]],
  [1, () => [`INSERT INTO whole_rows SELECT a, NULL FROM whole_rows WHERE a = ${random(0, 499)} LIMIT 1`]],
  [1, () => [`DELETE FROM whole_rows WHERE a = ${random(0, 499)} AND b IS NULL`]],
  [4, insertEvent],
  [
    2,
    () => [
      `UPDATE events SET kind = ${random(0, 3)} WHERE id = ${random(1, 20_000)} AND kind = ${random(0, 3)}`,
    ],
  ],
  [4, savepoints],
  [0.3, refill],
  [0.1, bulk],
  [0.2, slowly],
];
const TOTAL = KINDS.reduce((sum, [weight]) => sum + weight, 0);

/** @param session keys of its own for what must not meet another session's */
export function randomTransaction(session: number): Transaction {
  let at = Math.random() * TOTAL;
  for (const [weight, make] of KINDS) {
    at -= weight;
    if (at < 0) return make(session);
  }
  return [];
}

function random(from: number, to: number): number {
  return from + Math.floor(Math.random() * (to - from + 1));
}

function account(): number {
  return random(1, ACCOUNTS);
}

function customer(): number {
  return random(1, CUSTOMERS);
}

function insertAccount(): Transaction {
  const paper = Math.random() < 0.2 ? `repeat('p', ${random(3_000, 12_000)})` : 'NULL';
  return [
    `INSERT INTO accounts VALUES (${account()}, ${random(0, 999)} / 7.0, E'new \\\\ \\t é 🚚', ${paper})
         ON CONFLICT (id) DO UPDATE SET note = excluded.note, paper = NULL`,
  ];
}

function placeOrder(): Transaction {
  const [who, number] = [customer(), random(1, 40)];
  return [
    `INSERT INTO orders VALUES (${who}, ${number}) ON CONFLICT (customer, number) DO UPDATE SET state = 'again'`,
    `INSERT INTO lines (customer, number, amount) SELECT ${who}, ${number}, g FROM generate_series(1, ${random(1, 4)}) g`,
    `UPDATE orders SET state = 'placed' WHERE customer = ${who} AND number = ${number}`,
  ];
}

/** A unique value goes from row to row within one transaction. */
function handOver(): Transaction {
  const [from, to] = [random(1, SEATS), random(1, SEATS)].toSorted((a, b) => a - b);
  return [
    `DO $$ DECLARE one text; other text; BEGIN
       PERFORM FROM "Seats ""x""" WHERE id IN (${from}, ${to}) ORDER BY id FOR UPDATE;
       SELECT holder INTO one FROM "Seats ""x""" WHERE id = ${from};
       SELECT holder INTO other FROM "Seats ""x""" WHERE id = ${to};
       UPDATE "Seats ""x""" SET holder = NULL WHERE id IN (${from}, ${to});
       UPDATE "Seats ""x""" SET holder = one WHERE id = ${to};
       IF ${from} <> ${to} THEN UPDATE "Seats ""x""" SET holder = other WHERE id = ${from}; END IF;
     END $$`,
  ];
}

function insertEvent(): Transaction {
  return [`INSERT INTO events VALUES (20000 + nextval('numbers'), ${random(0, 3)}, '{"a": [1, null, "ü"]}')`];
}

function savepoints(): Transaction {
  const end = Math.random() < 0.2 ? ['ROLLBACK AND CHAIN'] : [];
  return [
    `UPDATE accounts SET note = 'kept' WHERE id = ${account()}`,
    'SAVEPOINT s',
    `UPDATE accounts SET note = 'lost' WHERE id = ${account()}`,
    `INSERT INTO keyless VALUES (now(), 'lost')`,
    'ROLLBACK TO s',
    `UPDATE accounts SET note = 'kept too' WHERE id = ${account()}`,
    ...end,
  ];
}

function refill(): Transaction {
  return ['TRUNCATE scratch', `INSERT INTO scratch SELECT g, repeat('s', g) FROM generate_series(1, 200) g`];
}

function bulk(session: number): Transaction {
  const first = 10_000_000 + session * 1_000_000;
  const range = `BETWEEN ${first} AND ${first + BULK_ROWS}`;
  return [
    `DELETE FROM accounts WHERE id ${range}`,
    `INSERT INTO accounts SELECT ${first} + g, g, 'bulk', NULL FROM generate_series(1, ${BULK_ROWS}) g`,
    `UPDATE accounts SET note = note || ' changed' WHERE id ${range} AND id % 3 = 0`,
  ];
}

/** Open for long: it began before what committed meanwhile. */
function slowly(session: number): Transaction {
  const id = 20_000_000 + session;
  return [
    `INSERT INTO accounts VALUES (${id}, 0, 'slow') ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + 1`,
    `SELECT pg_sleep(${random(1, 8)})`,
    `UPDATE accounts SET note = note || '.' WHERE id = ${id} AND length(note) < 100`,
  ];
}
