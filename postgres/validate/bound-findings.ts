import type { Finding } from '../../contract';
import { groupBy } from '../catalog';

/** Some 150 bytes each, and a payload should not exceed 256 KB: those of some forty databases, with all that holds. */
const MOST_FINDINGS = 1_000;
/** Of one rule, where there are more than that. */
const NAMED_OF_A_RULE = 10;

/**
 * As many findings as a workflow's payload holds, in their order: where there are more, what holds in many databases is said
 * once for each rule, and what does not of the first of them.
 */
export function boundFindings(findings: Finding[]): Finding[] {
  if (findings.length <= MOST_FINDINGS) return findings;
  return [...groupBy(findings, ({ rule, state }) => `${rule} ${state}`).values()].flatMap(boundOfRule);
}

function boundOfRule(findings: Finding[]): Finding[] {
  const [first] = findings;
  if (first === undefined || findings.length === 1) return findings;
  const { rule, state } = first;
  if (state === 'Succeeded') {
    return [{ rule, state, message: `${first.message} (so or alike in ${findings.length} databases)` }];
  }
  const others = findings.length - NAMED_OF_A_RULE;
  if (others <= 1) return findings;
  return [
    ...findings.slice(0, NAMED_OF_A_RULE),
    {
      rule,
      state,
      message: `The same is to be said ${others} more times, of other databases.`,
      remedy: 'Choose fewer databases with --database to see all of it.',
    },
  ];
}
