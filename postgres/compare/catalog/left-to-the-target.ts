import type { Catalog } from './catalog-snapshot';

const PUBLIC = 'schema "public"';
const OF_PUBLIC = [PUBLIC, `privileges of ${PUBLIC}`, 'comment on schema public'];

/**
 * What a migration gives the target only where its user may: on a managed server schema public is the provider's, who
 * lets nobody give it away or drop it. For `ignoredIdentities`.
 */
export function leftToTheTarget(source: Catalog): ReadonlySet<string> {
  return new Set([`owner of ${PUBLIC}`, ...(source.objects.has(PUBLIC) ? [] : OF_PUBLIC)]);
}
