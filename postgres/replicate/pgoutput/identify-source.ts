import type { Client } from 'pg';
import { FlexliftError, type FailurePlace } from '../../../contract';
import { formatLsn, type Lsn } from '../lsn';
import { identifySystem } from './identify-system';
import { parseTimelineHistory } from './timeline-history';

/** Whose positions a ledger's are. */
export interface KnownSource {
  /** Tells a server from all others; a copy of its files has the same. */
  systemIdentifier: string;
  /** How far the target has its commits, by the timelines that they came on. */
  held: HeldTimeline[];
}

export interface HeldTimeline {
  /** Begins anew whenever a copy of the server is promoted. */
  timeline: number;
  lsn: Lsn;
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
  const { systemIdentifier, timeline, end } = await identifySystem(client);
  if (known !== undefined && known.systemIdentifier !== systemIdentifier) throw anotherServer(place);
  const held = known?.held ?? [];
  const here = held.filter((each) => each.timeline === timeline).map(({ lsn }) => lsn);
  const ahead = [from, ...here].find((lsn) => lsn > end);
  if (ahead !== undefined) {
    throw rewound(
      `The source's WAL ends at ${formatLsn(end)}, before ${formatLsn(ahead)}, which the target has.`,
      place,
    );
  }
  const earlier = held.filter((each) => each.timeline !== timeline);
  if (earlier.length > 0) await refuseLoss(client, { earlier, timeline }, place);
  return timeline;
}

/** Its WAL may have passed those positions again since, with other commits than those that the target has. */
async function refuseLoss(
  client: Client,
  { earlier, timeline }: { earlier: HeldTimeline[]; timeline: number },
  place: FailurePlace,
): Promise<void> {
  const history = await timelineHistory(client, timeline);
  for (const { timeline: known, lsn } of earlier) {
    const left = history.get(known);
    if (left === undefined) {
      const sentence = `The source is on timeline ${timeline} of its WAL, which does not come from timeline ${known}, whose commits the target has.`;
      throw rewound(sentence, place);
    }
    if (left < lsn) {
      const sentence = `The source lost commits in a failover: its timeline ${timeline} left timeline ${known} at ${formatLsn(left)}, before ${formatLsn(lsn)}, which the target has.`;
      throw rewound(sentence, place);
    }
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
