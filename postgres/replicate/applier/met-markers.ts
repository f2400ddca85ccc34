import type { Client } from 'pg';
import { FlexliftError } from '../../../contract';

/** Ends a run: all before it is on the target. */
export interface Until {
  marker: string;
  /** Nothing may come between the ledger's position and the marker; what does is not applied but returned. */
  refuseChanges: boolean;
}

/**
 * Keeps the markers that a batch met, in its transaction: an applier that dies between the batch's end and its own leaves
 * behind a stream in which its marker never comes again.
 */
export async function noteMarkers(target: Client, markers: string[], refusedChanges: boolean): Promise<void> {
  if (markers.length === 0) return;
  await target.query(
    `INSERT INTO flexlift.step (kind, key, detail)
     SELECT 'marker', m.marker, pg_catalog.jsonb_build_object('refusedChanges', $2::boolean)
       FROM unnest($1::text[]) AS m(marker) ON CONFLICT DO NOTHING`,
    [markers, refusedChanges],
  );
}

/** @throws FlexliftError CutoverRefused where the marker was met, but by a run that applied what came before it */
export async function isMarkerMet(target: Client, { marker, refuseChanges }: Until): Promise<boolean> {
  const { rows } = await target.query<{ refused: boolean }>(
    `SELECT (detail ->> 'refusedChanges')::boolean AS refused
       FROM flexlift.step WHERE kind = 'marker' AND key = $1`,
    [marker],
  );
  const [row] = rows;
  if (row !== undefined && refuseChanges && !row.refused) {
    throw new FlexliftError({
      code: 'CutoverRefused',
      sentence: 'What came before the marker was applied without being looked at.',
      remedy: 'Try the cutover again.',
      side: 'target',
    });
  }
  return row !== undefined;
}
