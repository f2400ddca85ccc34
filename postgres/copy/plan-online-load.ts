import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteQualified } from '../connect';
import { inSnapshot, type StreamIdentity } from '../ledger';
import { planLoad, type LoadLimits, type PlannedLoad } from './plan-load';

/**
 * Divides the load of an online migration, in a transaction of its own: sizes need no exact snapshot. Tables that are not
 * replicated are copied with the others, so that little of them is left for the cutover.
 *
 * @param args.source not in a transaction
 * @param args.identities how the changes of each table come, as it was settled when the source was prepared
 * @throws FlexliftError SchemaDrift where a table was created since
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
    if (identity === undefined) throw createdMeanwhile(quoteQualified(table.schema, table.name));
    return { ...table, identity };
  });
  return { ...plan, tables };
}

function createdMeanwhile(table: string): FlexliftError {
  return new FlexliftError({
    code: 'SchemaDrift',
    sentence: 'A table was created on the source after it was prepared.',
    remedy: 'Leave the schema of the source alone while it is migrated; start the migration anew.',
    side: 'source',
    object: table,
  });
}
