import type { Client } from 'pg';
import { quoteQualified } from '../connect';
import { inSnapshot, type StreamIdentity } from '../ledger';
import { schemaDrift } from './schema-drift';
import { planLoad, type LoadLimits, type PlannedLoad } from './plan-load';

/**
 * Divides the load of an online migration, in a transaction of its own: sizes need no exact snapshot. Tables that are not
 * replicated are copied with the others, so that little of them is left for the cutover.
 *
 * @param args.source not in a transaction
 * @param args.identities how the changes of each table come, as it was settled when the source was prepared
 * @throws FlexliftError SchemaDrift where a table came to be replicated since
 */
export async function planOnlineLoad(args: {
  source: Client;
  limits: LoadLimits;
  identities: readonly { oid: number; identity: StreamIdentity }[];
}): Promise<PlannedLoad> {
  const { source, limits, identities } = args;
  const plan = await inSnapshot(source, () => planLoad({ source, limits }));
  const identityOf = new Map(identities.map(({ oid, identity }) => [oid, identity]));
  const tables = plan.tables.map((table) => {
    const identity = identityOf.get(table.oid);
    if (identity === undefined) {
      const object = quoteQualified(table.schema, table.name);
      throw schemaDrift(
        'The table came to be replicated after the source was prepared: it was created, altered or published since.',
        {
          side: 'source',
          object,
        },
      );
    }
    return { ...table, identity };
  });
  return { ...plan, tables };
}
