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

/**
 * In which of these steps an offline migration executes an entry that comes after the data; online, all but the first
 * belong to the cutover:
 * - `rows`: before the rows are compared;
 * - `privileges`: after that, lest a right that is taken away keeps us from reading; before materialized views are
 *   refreshed, which is done with their owner's rights. Triggers, rules and publications are created before them;
 * - `row-security`: after the refresh of those views whose owner sees all rows on the source;
 * - `event-triggers`: last, for they fire on all of it.
 */
export const ENTRY_STAGES = ['rows', 'privileges', 'row-security', 'event-triggers'] as const;
export type EntryStage = (typeof ENTRY_STAGES)[number];

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

const ROW_SECURITY = ['POLICY', 'ROW SECURITY'];

const LATE = [
  'TRIGGER',
  'RULE',
  ...ROW_SECURITY,
  'PUBLICATION',
  'PUBLICATION TABLE',
  'PUBLICATION TABLES IN SCHEMA',
];

/**
 * @param entries in the archive's order, so that each stands behind those that it depends on
 * @returns by dump id; what depends on another entry is never earlier than that one
 */
export function entryTimings(entries: TimedEntry[]): Map<number, EntryTiming> {
  return withDependencies(entries, ENTRY_TIMINGS, ownTiming);
}

/** As {@link entryTimings}. */
export function entryStages(entries: TimedEntry[]): Map<number, EntryStage> {
  return withDependencies(entries, ENTRY_STAGES, ownStage);
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

function ownStage(entry: TimedEntry): EntryStage {
  if (entry.phase === 'post-acl') return 'event-triggers';
  if (ROW_SECURITY.includes(entry.description)) return 'row-security';
  return ownTiming(entry) === 'late' ? 'privileges' : 'rows';
}

function withDependencies<T>(
  entries: TimedEntry[],
  order: readonly T[],
  own: (entry: TimedEntry) => T,
): Map<number, T> {
  const places = new Map<number, number>();
  for (const entry of entries) {
    const needed = entry.dependencies.map((dumpId) => places.get(dumpId) ?? 0);
    places.set(entry.dumpId, Math.max(order.indexOf(own(entry)), ...needed));
  }
  return new Map([...places].map(([dumpId, place]) => [dumpId, order[place] as T]));
}
