import type { Finding } from '../../contract';
import { groupBy } from '../catalog';

/** Some 150 bytes each: with twenty rules those of fifty databases. Temporal warns of a payload above 256 KB, and takes 2 MB. */
const MOST_FINDINGS = 1_000;
/** Of one rule and state, where there are more than that. */
const NAMED_OF_A_RULE = 10;

/**
 * As many findings as a workflow's payload holds. Where there are more, what holds in many databases is said once, and of each
 * rule the first are named and the others counted, in the order of the rules.
 */
export function boundFindings(findings: Finding[]): Finding[] {
  if (findings.length <= MOST_FINDINGS) return findings;
  return [...groupBy(findings, ({ rule, state }) => `${rule} ${state}`).values()].flatMap((ofRule) =>
    firstOf(ofRule[0]?.state === 'Succeeded' ? saidOnce(ofRule) : ofRule),
  );
}

function saidOnce(findings: Finding[]): Finding[] {
  return [...groupBy(findings, ({ message }) => message).values()].flatMap(([first, ...others]) => {
    if (first === undefined || others.length === 0) return first ?? [];
    const { rule, state, message } = first;
    return { rule, state, message: `${message} (${others.length + 1} databases)` };
  });
}

function firstOf(findings: Finding[]): Finding[] {
  const [first] = findings;
  const left = findings.length - NAMED_OF_A_RULE;
  if (first === undefined || left <= 0) return findings;
  const { rule, state } = first;
  const counted: Finding = { rule, state, message: `${left} more findings of this rule.` };
  const remedy = 'Choose fewer databases with --database to see all of them.';
  return [...findings.slice(0, NAMED_OF_A_RULE), state === 'Succeeded' ? counted : { ...counted, remedy }];
}
