import type { Client } from 'pg';
import { FlexliftError, type FailurePlace } from '../../../contract';
import { formatLsn, parseLsn, type Lsn } from '../lsn';
import { parseTimelineHistory } from './timeline-history';

/** Whose positions a ledger's are. */
export interface KnownSource {
  /** Tells a server from all others; a copy of its files has the same. */
  systemIdentifier: string;
  /** Begins anew whenever such a copy is promoted. Absent: none is known yet. */
  timeline?: number;
  /** The target has commits of it up to here. Default: up to where the stream starts. */
  upto?: Lsn;
}

const RECOPY = 'Run flexlift recopy to copy the tables anew with a new slot.';

/** The first timeline has no history. */
const FIRST_TIMELINE = 1;

/**
 * Makes sure that the server, on whose replication connection `client` is, has all that the target has.
 *
 * @param wanted.known absent: whatever server it is
 * @returns its present timeline
 * @throws FlexliftError SourceRewound
 */
export async function identifySource(
  client: Client,
  { from, known }: { from: Lsn; known?: KnownSource },
  place: FailurePlace,
): Promise<number> {
  const { rows } = await client.query<{ systemid: string; timeline: number | string; xlogpos: string }>(
    'IDENTIFY_SYSTEM',
  );
  const [row = { systemid: '', timeline: 0, xlogpos: '0/0' }] = rows;
  const { systemid, xlogpos } = row;
  const timeline = Number(row.timeline);
  if (known !== undefined && known.systemIdentifier !== systemid) throw anotherServer(place);
  const { upto = from } = known ?? {};
  if (upto > parseLsn(xlogpos)) {
    throw rewound(
      `The source's WAL ends at ${xlogpos}, before ${formatLsn(upto)}, which the target has.`,
      place,
    );
  }
  if (known?.timeline !== undefined && known.timeline !== timeline) {
    await refuseLoss(client, { upto, known: known.timeline, timeline }, place);
  }
  return timeline;
}

/** Its WAL may have passed `upto` again since, with other commits than those that the target has. */
async function refuseLoss(
  client: Client,
  { upto, known, timeline }: { upto: Lsn; known: number; timeline: number },
  place: FailurePlace,
): Promise<void> {
  const left = (await timelineHistory(client, timeline)).get(known);
  if (left === undefined) {
    const sentence = `The source is on timeline ${timeline} of its WAL, which does not come from timeline ${known}, whose commits the target has.`;
    throw rewound(sentence, place);
  }
  if (left < upto) {
    const sentence = `The source lost commits in a failover: its timeline ${timeline} left timeline ${known} at ${formatLsn(left)}, before ${formatLsn(upto)}, which the target has.`;
    throw rewound(sentence, place);
  }
}

async function timelineHistory(client: Client, timeline: number): Promise<Map<number, Lsn>> {
  if (timeline === FIRST_TIMELINE) return new Map();
  // older servers declare it as bytes
  const { rows } = await client.query<{ content: string | Buffer }>(`TIMELINE_HISTORY ${timeline}`);
  return parseTimelineHistory(String(rows[0]?.content ?? ''));
}

function rewound(sentence: string, place: FailurePlace): FlexliftError {
  return new FlexliftError({ code: 'SourceRewound', sentence, remedy: RECOPY, ...place });
}

/** The names are the same, the server is not: nothing that the ledger says of positions holds there. */
export function anotherServer(place: FailurePlace): FlexliftError {
  return new FlexliftError({
    code: 'SourceRewound',
    sentence: 'The source is another server than the one this migration was started from.',
    remedy:
      'Point the source at that server, or run flexlift recopy to copy the tables anew with a new slot.',
    ...place,
  });
}
