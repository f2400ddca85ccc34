import { keyInSteps } from '../../../postgres/schema/key-index';

test.each([
  [
    'a primary key',
    'ALTER TABLE ONLY public.orders\n    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);',
    'CREATE UNIQUE INDEX orders_pkey ON ONLY public.orders USING btree (id);',
    'ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_pkey PRIMARY KEY USING INDEX orders_pkey;',
  ],
  [
    'all that may belong to one',
    `ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a, b) INCLUDE (c, d) WITH (fillfactor='70') DEFERRABLE INITIALLY DEFERRED;`,
    `CREATE UNIQUE INDEX k ON ONLY s.t USING btree (a, b) INCLUDE (c, d) NULLS NOT DISTINCT WITH (fillfactor='70');`,
    'ALTER TABLE ONLY s.t ADD CONSTRAINT k UNIQUE USING INDEX k DEFERRABLE INITIALLY DEFERRED;',
  ],
  [
    'names that are not plain',
    `ALTER TABLE ONLY "Sales.EU"."Order ""lines"""\n    ADD CONSTRAINT "x) PRIMARY KEY (y);" UNIQUE ("a, ""b", "c)");`,
    `CREATE UNIQUE INDEX "x) PRIMARY KEY (y);" ON ONLY "Sales.EU"."Order ""lines""" USING btree ("a, ""b", "c)");`,
    `ALTER TABLE ONLY "Sales.EU"."Order ""lines""" ADD CONSTRAINT "x) PRIMARY KEY (y);" UNIQUE USING INDEX "x) PRIMARY KEY (y);";`,
  ],
  [
    'what follows it',
    'ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k PRIMARY KEY (a);\n\nALTER TABLE s.t CLUSTER ON k;\n\nALTER TABLE ONLY s.t REPLICA IDENTITY USING INDEX k;',
    'CREATE UNIQUE INDEX k ON ONLY s.t USING btree (a);',
    'ALTER TABLE ONLY s.t ADD CONSTRAINT k PRIMARY KEY USING INDEX k;\n\nALTER TABLE s.t CLUSTER ON k;\n\nALTER TABLE ONLY s.t REPLICA IDENTITY USING INDEX k;',
  ],
])('%s', (_what, statement, index, constraint) => {
  expect(keyInSteps(statement)).toEqual({ index, constraint });
});

test.each([
  'ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k EXCLUDE USING gist (a WITH =);',
  'ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k PRIMARY KEY (id, during WITHOUT OVERLAPS);',
  'ALTER TABLE s.t\n    ADD CONSTRAINT k CHECK ((a > 0)) NOT VALID;',
  'ALTER TABLE s.t\n    ADD CONSTRAINT k NOT NULL a NOT VALID;',
  '',
])('no key of a btree: %s', (statement) => {
  expect(keyInSteps(statement)).toBeUndefined();
});
