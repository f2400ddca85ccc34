import { createColors } from 'picocolors';
import type { DatabaseStatus, MigrationStatus } from '../../../contract';
import { reportText } from '../../../cli/report/report-text';
import { changesText, outageText } from '../../../cli/report/online-text';
import { cutover, database, failure, migration } from './online-fixtures';

function text(databases: DatabaseStatus[], change: Partial<MigrationStatus> = {}): string {
  const temporal = { address: 'localhost:7233', namespace: 'flexlift', workflowId: 'w', runId: 'r' };
  return reportText({ version: 1, temporal, status: migration(databases, change) }, createColors(false));
}

test('a release reports the outage in seconds, and each step', () => {
  const done = database({ state: 'Succeeded', phase: 'Done', cutover: cutover() });
  const report = text([done], { state: 'Succeeded' });
  expect(report).toContain('Replicated: 12,345 inserts, 1 delete in 678 transactions');
  expect(report).toContain(
    'Cutover 2: released, the application could not write for 3.4 s (Prove 1.6 s, Fence 0.2 s, Drain 0.5 s)',
  );
});

test('a cutover that was called off says why', () => {
  const report = text([database({ cutover: cutover({ state: 'CalledOff', failure }) })]);
  expect(report).toMatch(
    /Cutover 2: called off, .* 3\.4 s .*\nA row that is to be updated is missing\. Copy/,
  );
});

test('what needs cleaning up is named, with the way to do it', () => {
  const notice = {
    code: 'CleanUpNeeded' as const,
    sentence: 'The source cannot be reached.',
    remedy: "Run there: SELECT pg_drop_replication_slot('flexlift_a1b2c3d4e5f6_0a0b0c0d').",
  };
  const sourceObjects = ['slot flexlift_a1b2c3d4e5f6_0a0b0c0d', 'evil\nslot'];
  const report = text([database({ state: 'NeedsCleanup', notice, sourceObjects })], {
    state: 'NeedsCleanup',
  });
  expect(report).toContain("The source cannot be reached. Run there: SELECT pg_drop_replication_slot('");
  expect(report).toContain('On the source: slot flexlift_a1b2c3d4e5f6_0a0b0c0d, evil\\x0aslot');
});

test('an offline migration reports nothing of it', () => {
  const report = text([database({ state: 'Succeeded', replication: undefined })], { mode: 'Offline' });
  expect(report).not.toMatch(/Replicated|Cutover|On the source/);
});

test.each([
  [cutover({ fence: 'none' }), 'without a fence'],
  [cutover({ fencedAt: undefined, fencedSeconds: undefined }), 'the source was not fenced'],
  [cutover({ fencedSeconds: undefined }), 'the source is fenced'],
])('an outage %#', (report, expected) => expect(outageText(report)).toBe(expected));

test('changes of no kind', () => {
  expect(changesText({ transactions: 0, inserts: 0, updates: 0, deletes: 0, truncates: 0 })).toBe(
    'no changes',
  );
});
