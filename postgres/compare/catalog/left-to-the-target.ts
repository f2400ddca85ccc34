import { isProviders } from '../../catalog';
import type { Catalog } from './catalog-snapshot';

const PUBLIC = 'schema "public"';
const OF_PUBLIC = [PUBLIC, `privileges of ${PUBLIC}`, 'comment on schema public'];

/**
 * What a migration gives the target only where its user may: on a managed server schema public is the provider's, who
 * lets nobody give it away or drop it, and no role of the source's provider can own anything. For `ignoredIdentities`.
 */
export function leftToTheTarget(source: Catalog): ReadonlySet<string> {
  const providers = [...source.objects].filter(
    ([identity, { owner }]) => identity.startsWith('owner of ') && owner !== undefined && isProviders(owner),
  );
  return new Set([
    `owner of ${PUBLIC}`,
    ...providers.map(([identity]) => identity),
    ...(source.objects.has(PUBLIC) ? [] : OF_PUBLIC),
  ]);
}
