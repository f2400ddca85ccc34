import type { Client } from 'pg';
import type { KeylessTables } from '../../../contract';
import { quoteQualified } from '../../connect';
import { schemaDrift } from '../../copy';
import type { StreamIdentity } from '../../ledger';
import { classifyTables, type ClassifiedTable } from './classify-tables';
import { publicationNames } from './names';
import { publishedTables } from './published-tables';

/**
 * How the changes of each table come: as it is published, whatever it would be published as by now. A table that has got a
 * key since sends no UPDATE for that.
 *
 * @returns without tables that are to be published and are not
 * @throws FlexliftError SchemaDrift where one has lost the key by which it is published
 */
export async function streamIdentities(
  source: Client,
  { migrationId, keylessTables }: { migrationId: string; keylessTables: KeylessTables },
): Promise<{ oid: number; identity: StreamIdentity }[]> {
  const published = await publishedTables(source, migrationId);
  const { keyed, append } = publicationNames(migrationId);
  const identityOf = ({ oid, schema, name, identity }: ClassifiedTable): StreamIdentity | undefined => {
    const whole = published.get(oid)?.whole ?? [];
    if (identity === 'late') return 'late';
    if (whole.includes(append)) return 'append';
    if (!whole.includes(keyed)) return undefined;
    if (identity === 'append') {
      const object = quoteQualified(schema, name);
      throw schemaDrift('The table has lost its key after the source was prepared.', {
        side: 'source',
        object,
      });
    }
    return identity;
  };
  return (await classifyTables(source, { keylessTables })).flatMap((table) => {
    const identity = identityOf(table);
    return identity === undefined ? [] : [{ oid: table.oid, identity }];
  });
}
