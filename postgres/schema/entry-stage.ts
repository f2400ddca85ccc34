import type { EntryPhase } from './entry-phase';
import { isNotValid } from './entry-statement';

/**
 * In which order a migration executes what comes after the data:
 * - `indexes`, constraints, statistics: with the data, or right behind it;
 * - `foreign-keys`: when the data is whole; online, when all changes of the time of the load are applied, or at the cutover;
 * - `privileges`, and before them triggers, rules, publications and constraints NOT VALID: when the rows are compared; online,
 *   at the cutover. Triggers and rules would act on changes that are applied, ENABLE ALWAYS even on those of a replica; a
 *   right that is taken away may keep us from reading; a constraint NOT VALID refuses rows older than it, which may have
 *   to be copied until then. Materialized views, though, are refreshed with their owner's rights, and so later still;
 * - `row-security`: after the refresh of those views whose owner sees all rows on the source;
 * - `event-triggers`: last, for they fire on all of it.
 */
export const ENTRY_STAGES = [
  'indexes',
  'foreign-keys',
  'privileges',
  'row-security',
  'event-triggers',
] as const;
export type EntryStage = (typeof ENTRY_STAGES)[number];

export interface StagedEntry {
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

const WITH_PRIVILEGES = [
  'TRIGGER',
  'RULE',
  'PUBLICATION',
  'PUBLICATION TABLE',
  'PUBLICATION TABLES IN SCHEMA',
];

/**
 * @param entries in the archive's order, so that each stands behind those that it depends on
 * @returns by dump id; what depends on another entry is never earlier than that one
 */
export function entryStages(entries: StagedEntry[]): Map<number, EntryStage> {
  const places = new Map<number, number>();
  for (const entry of entries) {
    const needed = entry.dependencies.map((dumpId) => places.get(dumpId) ?? 0);
    places.set(entry.dumpId, Math.max(ENTRY_STAGES.indexOf(ownStage(entry)), ...needed));
  }
  return new Map([...places].map(([dumpId, place]) => [dumpId, ENTRY_STAGES[place] as EntryStage]));
}

export function isForeignKey({ description }: { description: string }): boolean {
  return description === 'FK CONSTRAINT';
}

export function isNotBefore(stage: EntryStage, first: EntryStage): boolean {
  return ENTRY_STAGES.indexOf(stage) >= ENTRY_STAGES.indexOf(first);
}

/** Of one that had to wait for a primary key: pg_dump writes it as a rule. */
export function isQueryOfView({ description, undo }: Pick<StagedEntry, 'description' | 'undo'>): boolean {
  return description === 'RULE' && undo.startsWith('CREATE OR REPLACE VIEW ');
}

function ownStage(entry: StagedEntry): EntryStage {
  const { phase, description, statement, undo } = entry;
  if (phase === 'pre-data' || phase === 'table') return 'indexes';
  if (phase === 'acl') return 'privileges';
  if (phase === 'post-acl') return 'event-triggers';
  if (isForeignKey(entry)) return 'foreign-keys';
  if (ROW_SECURITY.includes(description)) return 'row-security';
  if (CHECKS.includes(description) && isNotValid(statement)) return 'privileges';
  if (isQueryOfView({ description, undo })) return 'indexes';
  return WITH_PRIVILEGES.includes(description) ? 'privileges' : 'indexes';
}
