import type { Client } from 'pg';
import type { FenceMode } from '../../contract';
import { databaseProperties, type DatabaseProperties } from '../catalog';
import { inSnapshot } from '../ledger';
import { READ_ONLY, readFence } from './fence';

/**
 * What the connected source is like, without what only keeps its writers out. While a fence stands, and where a person sees
 * to it (mode `none`), nothing tells that from the rest: then it is `known`, what it was before. A whole database that became
 * read-only while it was being migrated was fenced by somebody in any case.
 */
export async function propertiesBehindFence(
  source: Client,
  known: DatabaseProperties,
  mode: FenceMode,
): Promise<DatabaseProperties> {
  const { read, fence } = await inSnapshot(source, async () => ({
    read: await databaseProperties(source),
    fence: await readFence(source),
  }));
  const isFenced = mode === 'none' || fence !== undefined;
  const ofFence = {
    setting: ({ name, role }: { name: string; role?: string }) =>
      name === READ_ONLY && (isFenced || role === undefined),
    grant: ({ privilege }: { privilege: string }) => isFenced && privilege === 'CONNECT',
  };
  const of = <Item>(now: Item[], before: Item[], isOfFence: (item: Item) => boolean) => [
    ...now.filter((item) => !isOfFence(item)),
    ...before.filter(isOfFence),
  ];
  return {
    ...read,
    settings: of(read.settings, known.settings, ofFence.setting),
    grants: of(read.grants, known.grants, ofFence.grant),
    connectionLimit: isFenced ? known.connectionLimit : read.connectionLimit,
  };
}
