import type { Client } from 'pg';

/** Milliseconds that every byte takes to the server, and back; absent: none. */
export interface Links {
  source?: number;
  target?: number;
}

/** A database to clone. */
export interface CopyCase {
  name: string;
  title: string;
  /** On an empty database, in autocommit. */
  fill: (client: Client) => Promise<void>;
  /** Of the time of the fastest peer, for the whole clone without compare; absent for a size that none was set for. */
  targetRatio?: number;
  /** Of that of the floor, which is measured only where this is given. */
  floorRatio?: number;
  /** Bytes of the worker, at its peak. */
  targetPeakBytes?: number;
  links?: Links;
  /** One of several sizes of the same, for us alone. */
  curve?: boolean;
  /** What a run leaves stays there until the last has ended: see `putAside`. */
  manyFiles?: boolean;
}

/** Milliseconds. */
const LINK_DELAY = 20;
const FAR_TABLES = 500;
const CURVE_GIGABYTES = [0.5, 1, 2, 4, 8];
/** Of `mixed`, as the server counts its database. */
const MIXED_GIGABYTES = 2.3;

const NO_TARGETS = { targetRatio: undefined, targetPeakBytes: undefined, floorRatio: Infinity };
const MEGABYTE = 1024 ** 2;
/** Tables are made in transactions of so many, for each holds locks. */
const TABLES_AT_ONCE = 100;
/** Tables that the foreign keys refer to: each key of one table makes the next one on it slower, for whoever adds it. */
const OWNERS = 100;

/** @param size share of the full size, above 0; the targets are for the full size alone */
export function copyCases(size: number): CopyCase[] {
  const scaled = (count: number) => Math.max(1, Math.round(count * size));
  const cases = [
    mixed(scaled(10_000_000), scaled(3_000_000), scaled(60_000)),
    oneTable(scaled(12_000_000)),
    wideValues(size),
    farServer('source', size),
    farServer('target', size),
    ...CURVE_GIGABYTES.map((gigabytes) => ofSize(gigabytes, size)),
    // the last one, for all of its files are deleted at its end
    manyTables(scaled(10_000)),
  ];
  if (size >= 1) return cases;
  return cases.map((each) => ({ ...each, ...NO_TARGETS }));
}

/** pgbench's tables at scale 100, events with jsonb and three indexes, and texts that lie in TOAST: 2.3 GB. */
function mixed(accounts: number, events: number, texts: number): CopyCase {
  return {
    name: 'mixed',
    title: 'pgbench scale 100, 3 M events, large texts',
    targetRatio: 0.75,
    floorRatio: 1.15,
    fill: runAll(mixedTables(accounts, events, texts)),
  };
}

/** A tenth of `mixed` with a number of small tables, one server some way off. */
function farServer(side: keyof Links, size: number): CopyCase {
  return {
    name: `far-${side}`,
    title: `the ${side} ${LINK_DELAY} ms away, each way: a tenth of mixed and ${FAR_TABLES} small tables`,
    targetRatio: 0.6,
    links: { [side]: LINK_DELAY },
    fill: runAll([...shareOfMixed(size / 10), smallTables(FAR_TABLES)]),
  };
}

/** `mixed` at another size. */
function ofSize(gigabytes: number, size: number): CopyCase {
  return {
    name: `curve-${gigabytes}`,
    title: `mixed with ${gigabytes} GB`,
    curve: true,
    fill: runAll(shareOfMixed((gigabytes / MIXED_GIGABYTES) * size)),
  };
}

function shareOfMixed(share: number): string[] {
  return mixedTables(
    Math.round(10_000_000 * share),
    Math.round(3_000_000 * share),
    Math.round(60_000 * share),
  );
}

function mixedTables(accounts: number, events: number, texts: number): string[] {
  return [
    `CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88));
       CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84));
       CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84));
       INSERT INTO pgbench_branches SELECT g, 0 FROM generate_series(1, 100) g;
       INSERT INTO pgbench_tellers SELECT g, (g - 1) / 10 + 1, 0 FROM generate_series(1, 1000) g;
       INSERT INTO pgbench_accounts SELECT g, (g - 1) / 100000 + 1, 0, '' FROM generate_series(1, ${accounts}) g`,
    'ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid)',
    'ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid), ADD FOREIGN KEY (bid) REFERENCES pgbench_branches',
    'ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)',
    `CREATE TABLE events (id bigint, account int NOT NULL, kind text NOT NULL, at timestamptz NOT NULL, body jsonb NOT NULL);
       INSERT INTO events
       SELECT g, g % 100000, 'kind ' || g % 17, timestamptz '2026-01-01 00:00Z' + g * interval '1 second',
              jsonb_build_object('n', g, 'path', md5(g::text), 'ok', g % 3 = 0)
         FROM generate_series(1, ${events}) g`,
    'ALTER TABLE events ADD PRIMARY KEY (id)',
    'CREATE INDEX ON events (account, at)',
    'CREATE INDEX ON events (kind)',
    `CREATE TABLE texts (id int PRIMARY KEY, body text NOT NULL);
       ALTER TABLE texts ALTER body SET STORAGE EXTERNAL;
       INSERT INTO texts SELECT g, repeat(md5(g::text), 120) FROM generate_series(1, ${texts}) g`,
  ];
}

/** All of the size in one table with four indexes. */
function oneTable(rows: number): CopyCase {
  return {
    name: 'table',
    title: 'one table of 2 GB with four indexes',
    targetRatio: 0.75,
    fill: runAll([
      `CREATE TABLE orders (id bigint, customer int NOT NULL, at timestamptz NOT NULL, total numeric(12, 2) NOT NULL, note text NOT NULL);
       INSERT INTO orders
       SELECT g, (g * 7919) % 1000000, timestamptz '2026-01-01 00:00Z' + (g * 31 % 31536000) * interval '1 second',
              (g % 100000) / 100.0, 'note ' || md5(g::text) || repeat('.', 60)
         FROM generate_series(1, ${rows}::bigint) g`,
      'ALTER TABLE orders ADD PRIMARY KEY (id)',
      'CREATE INDEX ON orders (customer)',
      'CREATE INDEX ON orders (at)',
      'CREATE INDEX ON orders (total, id)',
    ]),
  };
}

/** Each with a key, an index and a foreign key. */
function manyTables(count: number): CopyCase {
  return {
    name: 'tables',
    title: `${count} small tables, each with a key, an index and a foreign key`,
    targetRatio: 0.8,
    manyFiles: true,
    fill: runAll([smallTables(count)]),
  };
}

function smallTables(count: number): string {
  return `DO $$ BEGIN
         FOR n IN 1 .. ${OWNERS} LOOP
           EXECUTE format('CREATE TABLE owners_%s (id int PRIMARY KEY)', n);
           EXECUTE format('INSERT INTO owners_%s SELECT generate_series(1, 100)', n);
         END LOOP;
         COMMIT;
         FOR n IN 1 .. ${count} LOOP
           EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, owner int, name text, at timestamptz)', n);
           EXECUTE format('CREATE INDEX ON small_%s (name)', n);
           EXECUTE format('INSERT INTO small_%s SELECT g, g, ''name '' || g, now() FROM generate_series(1, 20) g', n);
           EXECUTE format('ALTER TABLE small_%s ADD FOREIGN KEY (owner) REFERENCES owners_%s', n, 1 + n % ${OWNERS});
           IF n % ${TABLES_AT_ONCE} = 0 THEN COMMIT; END IF;
         END LOOP;
       END $$`;
}

/** Values from 1 to 200 MB, 1 GB in all. */
function wideValues(size: number): CopyCase {
  const megabytes = [...Array<number>(150).fill(1), ...Array<number>(25).fill(10), 100, 200, 200];
  const wanted = megabytes.slice(0, Math.max(1, Math.round(megabytes.length * size)));
  return {
    name: 'wide',
    title: 'values of 1 to 200 MB, 1 GB in all',
    targetRatio: 1,
    targetPeakBytes: 300 * MEGABYTE,
    fill: async (client) => {
      await client.query('CREATE TABLE files (id int PRIMARY KEY, content bytea, body text)');
      await client.query(
        'ALTER TABLE files ALTER content SET STORAGE EXTERNAL, ALTER body SET STORAGE EXTERNAL',
      );
      for (const [id, each] of wanted.entries()) {
        const half = (each * MEGABYTE) / 2;
        await client.query(
          `INSERT INTO files SELECT $1::int, decode(repeat(md5($1::int::text), $2::int / 16), 'hex'), repeat(md5($1::int::text), $2::int / 32)`,
          [id, half],
        );
      }
    },
  };
}

function runAll(statements: string[]): CopyCase['fill'] {
  return async (client) => {
    for (const statement of statements) await client.query(statement);
  };
}
