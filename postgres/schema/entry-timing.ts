import type { EntryPhase } from './entry-phase';
import { isNotValid } from './entry-statement';

/**
 * When an online migration executes an entry that comes after the data:
 * - `before`: before changes are applied;
 * - `foreign-key`: when all changes of the time of the load are applied, or at the cutover;
 * - `late`: at the cutover. Triggers and rules would act on changes that are applied, ENABLE ALWAYS even on those of a
 *   replica; policies would hide rows; privileges may take away what we need; event triggers fire on our own work; a
 *   constraint NOT VALID refuses rows older than it, which may have to be copied until then.
 */
export const ENTRY_TIMINGS = ['before', 'foreign-key', 'late'] as const;
export type EntryTiming = (typeof ENTRY_TIMINGS)[number];

export interface TimedEntry {
  dumpId: number;
  phase: EntryPhase;
  description: string;
  /** Empty where it is no constraint. */
  statement: string;
  undo: string;
  dependencies: number[];
}

/** `CONSTRAINT`: NOT NULL NOT VALID, too. */
const CHECKS = ['CHECK CONSTRAINT', 'CONSTRAINT'];

const LATE = [
  'TRIGGER',
  'RULE',
  'POLICY',
  'ROW SECURITY',
  'PUBLICATION',
  'PUBLICATION TABLE',
  'PUBLICATION TABLES IN SCHEMA',
];

/**
 * @param entries in the archive's order, so that each stands behind those that it depends on
 * @returns by dump id; what depends on another entry is never earlier than that one
 */
export function entryTimings(entries: TimedEntry[]): Map<number, EntryTiming> {
  const timings = new Map<number, EntryTiming>();
  for (const entry of entries) {
    const needed = entry.dependencies.map((dumpId) => timings.get(dumpId) ?? 'before');
    timings.set(entry.dumpId, latest([ownTiming(entry), ...needed]));
  }
  return timings;
}

function ownTiming({ phase, description, statement, undo }: TimedEntry): EntryTiming {
  if (phase === 'pre-data' || phase === 'table') return 'before';
  if (phase === 'acl' || phase === 'post-acl') return 'late';
  if (description === 'FK CONSTRAINT') return 'foreign-key';
  if (CHECKS.includes(description) && isNotValid(statement)) return 'late';
  // the query of a view that had to wait for a primary key: pg_dump writes it as a rule
  if (description === 'RULE' && undo.startsWith('CREATE OR REPLACE VIEW ')) return 'before';
  return LATE.includes(description) ? 'late' : 'before';
}

function latest(timings: EntryTiming[]): EntryTiming {
  return timings.reduce((last, next) =>
    ENTRY_TIMINGS.indexOf(next) > ENTRY_TIMINGS.indexOf(last) ? next : last,
  );
}
