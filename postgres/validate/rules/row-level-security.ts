import { isNoExtensionsOwn, isUsersSchema } from '../../catalog';
import { quoteQualified } from '../../connect';
import { enumerate, failed, type DatabaseContext, type Rule } from '../rule';

export const rowLevelSecurity: Rule<DatabaseContext> = {
  id: 'row-level-security',
  holds: "No policy hides rows from the source's user.",
  async check({ sourceClient, source }) {
    // FORCE binds the owner too; row_security_active knows all exceptions
    const { rows } = await sourceClient.query<{ schema: string; table: string }>(
      `SELECT n.nspname AS schema, c.relname AS table
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid)
          AND ${isUsersSchema('n.nspname')}
          AND ${isNoExtensionsOwn('c')}
        ORDER BY 1, 2`,
    );
    if (rows.length === 0) return [];
    const tables = enumerate(rows.map((row) => quoteQualified(row.schema, row.table)));
    return [
      failed(
        `Row-level security would hide rows of these tables from user ${source.user.name}: ${tables}.`,
        'Migrate with a superuser, a role with BYPASSRLS, or the owner of tables without FORCE ROW LEVEL SECURITY.',
      ),
    ];
  },
};
