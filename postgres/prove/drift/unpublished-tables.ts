import type { Client } from 'pg';
import type { Difference } from '../../../contract';
import { quoteIdentifier, quoteQualified } from '../../connect';
import { keptPublicationMarks, publicationMarks, publicationNames } from '../../replicate/source';

const ANEW = 'Copy all tables anew: flexlift recopy.';

/**
 * What somebody changed about the migration's publications: tables that were taken out of them, also for a while, and
 * publications that were altered or made anew. Changes do not come any more, or did not, and nothing else would tell.
 */
export async function unpublishedTables(args: {
  source: Client;
  target: Client;
  migrationId: string;
}): Promise<Difference[]> {
  const { source, target, migrationId } = args;
  const kept = await keptPublicationMarks(target);
  const present = await publicationMarks(source, migrationId);
  const isAltered = (key: string) => kept[key] !== undefined && present[key] !== kept[key];
  const { keyed, append } = publicationNames(migrationId);
  const publications = [keyed, append].filter(isAltered);
  const { rows } = await target.query<{ oid: number; schema: string; name: string }>(
    `SELECT table_oid AS oid, schema_name AS schema, table_name AS name
       FROM flexlift.table_load WHERE identity <> 'late' AND stream_state = 'applied' ORDER BY 2, 3`,
  );
  const standing = await standingTables(
    source,
    rows.map(({ oid }) => oid),
  );
  const tables = rows.flatMap(({ oid, schema, name }): Difference[] => {
    const object = `table ${quoteQualified(schema, name)}`;
    if (present[oid] === undefined) return standing.has(oid) ? [altered(object, TAKEN_OUT)] : [];
    // all tables of a publication that was made anew have new marks
    return publications.length === 0 && isAltered(String(oid)) ? [altered(object, PUBLISHED_ANEW)] : [];
  });
  return [...publications.map((name) => altered(`publication ${quoteIdentifier(name)}`, CHANGED)), ...tables];
}

/** One that was dropped is a drift of its own. */
async function standingTables(source: Client, oids: number[]): Promise<Set<number>> {
  const { rows } = await source.query<{ oid: number }>(
    'SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($1::pg_catalog.oid[])',
    [oids],
  );
  return new Set(rows.map(({ oid }) => oid));
}

const TAKEN_OUT = 'It was taken out of the publication of this migration, so that its changes are lost.';
const PUBLISHED_ANEW =
  'It was taken out of the publication of this migration and put in again, or is published otherwise, so that changes may be lost.';
const CHANGED = 'It was altered or made anew, so that changes may be lost.';

function altered(object: string, sentence: string): Difference {
  return { kind: 'catalog', object, message: `${sentence} ${ANEW}` };
}
