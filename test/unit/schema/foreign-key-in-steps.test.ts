import { foreignKeyInSteps } from '../../../postgres/schema/foreign-key-in-steps';

test.each([
  [
    'a plain one',
    'ALTER TABLE ONLY public.lines\n    ADD CONSTRAINT lines_fkey FOREIGN KEY (a) REFERENCES public.orders(id);',
    'ALTER TABLE ONLY public.lines ADD CONSTRAINT lines_fkey FOREIGN KEY (a) REFERENCES public.orders(id) NOT VALID;',
    'ALTER TABLE ONLY public.lines VALIDATE CONSTRAINT lines_fkey;',
  ],
  [
    'all that may belong to one',
    'ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a, b) REFERENCES s.u(c, d) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL (a) DEFERRABLE INITIALLY DEFERRED;\n',
    'ALTER TABLE ONLY s.t ADD CONSTRAINT k FOREIGN KEY (a, b) REFERENCES s.u(c, d) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL (a) DEFERRABLE INITIALLY DEFERRED NOT VALID;',
    'ALTER TABLE ONLY s.t VALIDATE CONSTRAINT k;',
  ],
  [
    'names that are not plain',
    `ALTER TABLE ONLY "S.x"."a ""t;"""\n    ADD CONSTRAINT "k NOT VALID;" FOREIGN KEY ("a;b") REFERENCES "S.x"."u NOT VALID"("c)");`,
    `ALTER TABLE ONLY "S.x"."a ""t;""" ADD CONSTRAINT "k NOT VALID;" FOREIGN KEY ("a;b") REFERENCES "S.x"."u NOT VALID"("c)") NOT VALID;`,
    `ALTER TABLE ONLY "S.x"."a ""t;""" VALIDATE CONSTRAINT "k NOT VALID;";`,
  ],
])('%s', (_what, statement, add, validate) => {
  expect(foreignKeyInSteps(statement)).toEqual({ add, validate });
});

test.each([
  ['of a partitioned table', 'ALTER TABLE s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES s.u(b);'],
  [
    'not valid on the source',
    'ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES s.u(b) NOT VALID;',
  ],
  [
    'not enforced',
    'ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES s.u(b) NOT ENFORCED;',
  ],
  ['another constraint', 'ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k PRIMARY KEY (a);'],
  [
    'two statements',
    'ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES s.u(b);\n\nALTER TABLE s.t CLUSTER ON k;',
  ],
])('is made at once: %s', (_what, statement) => {
  expect(foreignKeyInSteps(statement)).toBeUndefined();
});
