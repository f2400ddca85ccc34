import type { Finding, FindingState } from '../../../contract';
import { boundFindings } from '../../../postgres/validate/bound-findings';

function findingsOf(databases: number, stateOf: (rule: number, database: number) => FindingState): Finding[] {
  return Array.from({ length: databases }, (_, database) =>
    Array.from({ length: 20 }, (__, rule) => ({
      rule: `rule-${rule}`,
      state: stateOf(rule, database),
      message:
        rule === 5 && database < 2
          ? `Database ${database} is left alone.`
          : 'This is what was found, in a sentence of the usual length.',
      database: `a_database_${database}`,
    })),
  ).flat();
}

test('of some dozens of databases all is said', () => {
  const findings = findingsOf(50, () => 'Succeeded');
  expect(boundFindings(findings)).toBe(findings);
});

test('of hundreds what holds is said once for each rule, and of what does not the first is named', () => {
  const state = (rule: number, database: number): FindingState =>
    rule === 3 ? 'Failed' : rule === 7 && database >= 488 ? 'Warning' : 'Succeeded';
  const bound = boundFindings(findingsOf(500, state));
  const named = (wanted: FindingState) =>
    bound.filter((finding) => finding.state === wanted).map(({ rule, database }) => ({ rule, database }));
  const holds = named('Succeeded');
  expect(holds).toHaveLength(19 + 2);
  expect(holds.filter(({ database }) => database !== undefined)).toEqual([
    { rule: 'rule-5', database: 'a_database_0' },
    { rule: 'rule-5', database: 'a_database_1' },
  ]);
  const first = (rule: string, from: number) =>
    Array.from({ length: 10 }, (_, index) => ({ rule, database: `a_database_${from + index}` }));
  expect(named('Failed')).toEqual([...first('rule-3', 0), { rule: 'rule-3', database: undefined }]);
  expect(named('Warning')).toEqual([...first('rule-7', 488), { rule: 'rule-7', database: undefined }]);
  expect(bound.at(-1)?.message).toBe('2 more findings of this rule.');
});

test('whatever was found, it fits into a payload', () => {
  const states: FindingState[] = ['Succeeded', 'Warning', 'Failed'];
  const bound = boundFindings(findingsOf(500, (rule, database) => states[(rule + database) % 3] ?? 'Failed'));
  expect(JSON.stringify(bound).length).toBeLessThan(256 * 1024);
});
