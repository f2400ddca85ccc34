import { quoteQualified } from '../../connect';
import { hasIcu, hasLibcLocale } from '../probe-locale';
import { enumerate, failed, type DatabaseContext, type Rule } from '../rule';

interface Collation {
  schema: string;
  name: string;
  provider: string;
  collate: string | null;
  own: boolean;
}

/** Collations that something depends on, and those the user made: pg_depend knows them all, also inside views. */
const USED_COLLATIONS = `
  SELECT n.nspname AS schema, c.collname AS name, c.collprovider::text AS provider,
         c.collcollate AS collate, c.oid >= 16384 AS own
    FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
   WHERE c.collprovider IN ('c', 'i', 'b')
     AND (c.oid >= 16384 OR EXISTS (
            SELECT FROM pg_catalog.pg_depend d
             WHERE d.refclassid = 'pg_catalog.pg_collation'::pg_catalog.regclass AND d.refobjid = c.oid
               AND d.objid >= 16384))
   ORDER BY 1, 2`;

export const collations: Rule<DatabaseContext> = {
  id: 'collations',
  holds: 'The target has every collation that is used.',
  async check({ sourceClient, target, targetClient, properties }) {
    const { rows } = await sourceClient.query<Collation>(USED_COLLATIONS);
    const onTarget = targetClient ?? target.client;
    const missing: string[] = [];
    for (const collation of rows) {
      const name = quoteQualified(collation.schema, collation.name);
      const present = collation.own
        ? await canBeMade(collation)
        : await hasSystemCollation(collation.name, properties.encoding);
      if (!present) missing.push(name);
    }
    if (missing.length === 0) return [];
    return [
      failed(
        `Collations that the target's operating system or ICU library lacks: ${enumerate(missing)}.`,
        'Install the locales on the target (then SELECT pg_import_system_collations), or use other collations on the source.',
      ),
    ];

    async function canBeMade({ provider, collate }: Collation): Promise<boolean> {
      if (provider === 'i') return await hasIcu(onTarget);
      return collate === null || (await hasLibcLocale(onTarget, collate));
    }

    async function hasSystemCollation(name: string, encoding: string): Promise<boolean> {
      const { rowCount } = await onTarget.query(
        `SELECT FROM pg_catalog.pg_collation
          WHERE collname = $1 AND collnamespace = 'pg_catalog'::pg_catalog.regnamespace
            AND collencoding IN (-1, pg_catalog.pg_char_to_encoding($2))`,
        [name, encoding],
      );
      return rowCount !== 0;
    }
  },
};
