import type { DatabaseProperties } from '../catalog';
import { quoteIdentifier, quoteLiteral } from '../connect';

/**
 * CREATE DATABASE with the source's encoding and locale. From template0, the one template that takes any of them and
 * holds nothing of a user's. The provider is always named, since that of a newer target's template may be another.
 * https://www.postgresql.org/docs/current/sql-createdatabase.html
 */
export function createDatabaseSql(name: string, properties: DatabaseProperties, targetMajor: number): string {
  const { encoding, collate, ctype, provider, locale, icuRules } = properties;
  const options = [
    `ENCODING ${quoteLiteral(encoding)}`,
    `LC_COLLATE ${quoteLiteral(collate)}`,
    `LC_CTYPE ${quoteLiteral(ctype)}`,
  ];
  if (targetMajor >= 15) options.push(`LOCALE_PROVIDER ${provider}`);
  if (provider === 'icu' && locale !== undefined) options.push(`ICU_LOCALE ${quoteLiteral(locale)}`);
  if (provider === 'icu' && icuRules !== undefined) options.push(`ICU_RULES ${quoteLiteral(icuRules)}`);
  if (provider === 'builtin' && locale !== undefined) options.push(`BUILTIN_LOCALE ${quoteLiteral(locale)}`);
  return `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ${options.join(' ')}`;
}
