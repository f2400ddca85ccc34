import { granteesOnTarget } from '../../../postgres/schema/grantees';
import { archiveEntry } from './archive-entry';

const acl = (owner: string, ...lines: string[]) =>
  archiveEntry({ description: 'ACL', owner, definition: lines.map((line) => `${line}\n`).join('') });

test('what is said of an owner who stays behind is said of whoever creates the object', () => {
  const entry = acl(
    'Sales "EU" TO x',
    'REVOKE ALL ON TABLE "a TO b" FROM "Sales ""EU"" TO x";',
    'GRANT SELECT,UPDATE(c) ON TABLE "a TO b" TO "Sales ""EU"" TO x" WITH GRANT OPTION;',
    'GRANT SELECT ON TABLE "a TO b" TO reader;',
  );
  expect(granteesOnTarget(entry, { owner: true, roles: new Set(['Sales "EU" TO x']) })).toBe(
    entry.definition,
  );
  expect(granteesOnTarget(entry, { owner: false, roles: new Set() })).toBe(
    'REVOKE ALL ON TABLE "a TO b" FROM CURRENT_USER;\n' +
      'GRANT SELECT,UPDATE(c) ON TABLE "a TO b" TO CURRENT_USER WITH GRANT OPTION;\n' +
      'GRANT SELECT ON TABLE "a TO b" TO reader;\n',
  );
});

test('nothing is revoked from a role that the target does not have', () => {
  const entry = acl(
    'cloudsqlsuperuser',
    'REVOKE ALL ON SCHEMA public FROM cloudsqladmin;',
    'REVOKE ALL ON SCHEMA public FROM PUBLIC;',
    'REVOKE ALL ON SCHEMA public FROM "App";',
    'GRANT ALL ON SCHEMA public TO cloudsqlsuperuser;',
    'GRANT ALL ON SCHEMA public TO PUBLIC;',
  );
  expect(granteesOnTarget(entry, { owner: false, roles: new Set(['App']) })).toBe(
    'REVOKE ALL ON SCHEMA public FROM PUBLIC;\n' +
      'REVOKE ALL ON SCHEMA public FROM "App";\n' +
      'GRANT ALL ON SCHEMA public TO CURRENT_USER;\n' +
      'GRANT ALL ON SCHEMA public TO PUBLIC;\n',
  );
});

test("what a role of the source's provider gave on is given by the owner", () => {
  const entry = acl(
    'app',
    'GRANT SELECT ON TABLE "a\nb;" TO cloudsqlsuperuser WITH GRANT OPTION;',
    'SET SESSION AUTHORIZATION cloudsqlsuperuser;',
    'GRANT SELECT ON TABLE "a\nb;" TO reader;',
    'RESET SESSION AUTHORIZATION;',
    'SET SESSION AUTHORIZATION other;',
    'GRANT SELECT ON TABLE "a\nb;" TO reader;',
    'RESET SESSION AUTHORIZATION;',
    'GRANT SELECT ON TABLE "\nGRANT ALL TO rdsadmin;" TO reader;',
  );
  expect(granteesOnTarget(entry, { owner: true, roles: new Set(['app', 'reader']) })).toBe(
    'GRANT SELECT ON TABLE "a\nb;" TO reader;\n' +
      'RESET SESSION AUTHORIZATION;\n' +
      'SET SESSION AUTHORIZATION other;\n' +
      'GRANT SELECT ON TABLE "a\nb;" TO reader;\n' +
      'RESET SESSION AUTHORIZATION;\n' +
      'GRANT SELECT ON TABLE "\nGRANT ALL TO rdsadmin;" TO reader;\n',
  );
});

test("nothing is granted to a role of the source's provider", () => {
  const entry = acl(
    'pg_database_owner',
    'GRANT ALL ON SCHEMA public TO cloudsqlsuperuser;',
    'GRANT USAGE ON SCHEMA public TO rds_superuser WITH GRANT OPTION;',
    'GRANT ALL ON SCHEMA public TO app;',
  );
  expect(granteesOnTarget(entry, { owner: true, roles: new Set(['app']) })).toBe(
    'GRANT ALL ON SCHEMA public TO app;\n',
  );
});
