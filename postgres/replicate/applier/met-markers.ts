import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError } from '../../../contract';

/** Ends a run: all before it is on the target. */
export interface Until {
  marker: string;
  /** An earlier marker: nothing may come between the two; what does is not applied but returned. */
  quietFrom?: string;
}

/** How a run met a marker; what it does not say did not hold. */
interface Meeting {
  /** No change came before it since the one that its run was to be quiet from. */
  inQuiet?: boolean;
  /** It ended its batch, and its run applied no change from there on. */
  beginsQuiet?: boolean;
}

/** Of a marker that is waited for, milliseconds: the application waits as well. */
const BETWEEN_LOOKS = 10;

/**
 * Keeps the markers that a batch met, in its transaction: an applier that dies between the batch's end and its own leaves
 * behind a stream in which its marker never comes again.
 *
 * @param quiet.isQuiet the batch's run applies no change any more
 * @param quiet.quietFrom the marker behind which it applies none
 */
export async function noteMarkers(
  target: Client,
  markers: string[],
  { isQuiet, quietFrom }: { isQuiet: boolean; quietFrom?: string },
): Promise<void> {
  if (markers.length === 0) return;
  await target.query(
    `INSERT INTO flexlift.step (kind, key, detail)
     SELECT 'marker', m.marker,
            pg_catalog.jsonb_build_object('inQuiet', $2::boolean, 'beginsQuiet', m.marker IS NOT DISTINCT FROM $3)
       FROM unnest($1::text[]) AS m(marker) ON CONFLICT DO NOTHING`,
    [markers, isQuiet, quietFrom ?? null],
  );
}

/** @throws FlexliftError CutoverRefused where the marker was met, but by a run that was not as quiet as it was to be */
export async function isMarkerMet(target: Client, { marker, quietFrom }: Until): Promise<boolean> {
  const meeting = await meetingOf(target, marker);
  if (meeting === undefined) return false;
  if (quietFrom !== undefined && meeting.inQuiet !== true) throw unseen();
  return true;
}

/**
 * Whether a run that begins now is behind the marker that it is to be quiet from.
 *
 * @throws FlexliftError CutoverRefused where another run may have applied what came behind it
 */
export async function isQuiet(target: Client, { quietFrom }: Until): Promise<boolean> {
  if (quietFrom === undefined) return false;
  const meeting = await meetingOf(target, quietFrom);
  if (meeting === undefined) return false;
  if (meeting.beginsQuiet !== true) throw unseen();
  return true;
}

/** Waits until a run has met the marker: all before it is on the target. */
export async function untilMarkerMet(target: Client, until: Until, signal: AbortSignal): Promise<void> {
  while (!(await isMarkerMet(target, until))) await pause(BETWEEN_LOOKS, undefined, { signal });
}

async function meetingOf(target: Client, marker: string): Promise<Meeting | undefined> {
  const { rows } = await target.query<{ detail: Meeting }>(
    `SELECT detail FROM flexlift.step WHERE kind = 'marker' AND key = $1`,
    [marker],
  );
  return rows[0]?.detail;
}

function unseen(): FlexliftError {
  return new FlexliftError({
    code: 'CutoverRefused',
    sentence: 'What came before the marker was applied without being looked at.',
    remedy: 'Try the cutover again.',
    side: 'target',
  });
}
