import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createColors } from 'picocolors';
import type { DatabaseStatus, MigrationStatus, TableReport } from '../../../contract';
import { webUiPage } from '../../../cli/engine';
import { formatBytes, formatName, formatSeconds } from '../../../cli/format';
import { writeReport, type MigrationReport } from '../../../cli/report/report';
import { reportText } from '../../../cli/report/report-text';

const plain = createColors(false);

function table(name: string, change: Partial<TableReport> = {}): TableReport {
  const checksums = { sourceChecksum: 'aa11', targetChecksum: 'aa11', equal: true };
  return {
    table: name,
    rows: 1_234,
    bytes: 5_600_000,
    seconds: 1.25,
    parts: 1,
    copies: 1,
    ...checksums,
    ...change,
  };
}

function database(change: Partial<DatabaseStatus> = {}): DatabaseStatus {
  return {
    database: 'shop',
    state: 'Succeeded',
    phase: 'Done',
    copied: { tables: 1, rows: 1_234, bytes: 5_600_000 },
    startedAt: '2026-01-31T10:00:00Z',
    endedAt: '2026-01-31T10:03:20Z',
    seconds: { Load: 12.3 },
    differences: [],
    tables: [table('"public"."orders"')],
    tablesTotal: 1,
    ...change,
  };
}

function report(change: Partial<MigrationStatus> = {}): MigrationReport {
  return {
    version: 1,
    temporal: {
      address: 'localhost:7233',
      namespace: 'flexlift',
      workflowId: 'migration/new:5432/m',
      runId: 'abcdef0123',
    },
    status: {
      version: 1,
      migrationId: 'a1b2c3d4e5f6',
      name: 'm',
      mode: 'Offline',
      option: 'ValidateAndMigrate',
      state: 'Succeeded',
      source: 'old:5432',
      target: 'new:5432',
      startedAt: '2026-01-31T10:00:00Z',
      endedAt: '2026-01-31T10:03:20Z',
      findings: [],
      databases: [database()],
      ...change,
    },
  };
}

test('a success shows every table with its proof', () => {
  const text = reportText(report({ databases: [database(), database({ database: 'crm' })] }), plain);
  expect(text).toContain('m: old:5432 to new:5432: Succeeded: the target equals the source, 3 min 20 s');
  expect(text).toMatch(/"public"\."orders" +1,234 +5\.6 MB +1\.3 +aa11 +aa11 +yes/);
  expect(text).toContain('Phases: Load 12 s');
  expect(text).toContain('Total: 2 databases, 2 tables, 2,468 rows, 11.2 MB');
  expect(text).toContain('Workflow: migration/new:5432/m in namespace flexlift of localhost:7233');
  expect(text).not.toContain('Web UI');
});

test('only a comparison is called proof', () => {
  const tables = [table('t', { sourceChecksum: undefined, targetChecksum: undefined, equal: undefined })];
  const unverified = report({ state: 'SucceededUnverified', databases: [database({ tables })] });
  expect(reportText(unverified, plain)).not.toContain('equals');
  expect(reportText(unverified, plain)).toMatch(/- +- +not compared/);
  const named = report({ databases: [database({ notCompared: ['"public"."of_now"'] })] });
  expect(reportText(named, plain)).toContain(
    'Not compared, for their rows may differ: materialized views "public"."of_now"',
  );
  expect(reportText(report({ option: 'Validate', databases: [] }), plain)).not.toContain('equals');
});

test('a difference names the object and its first keys', () => {
  const differences = [
    { kind: 'checksum' as const, object: '"t"', message: 'Rows differ.', keys: ['(1)', '(2)'] },
  ];
  const failure = {
    code: 'DifferenceFound' as const,
    sentence: 'They differ.',
    remedy: 'Mend it.',
    database: 'shop',
  };
  const tables = [table('"t"', { targetChecksum: 'bb22', equal: false })];
  const text = reportText(
    report({
      state: 'Failed',
      failure,
      databases: [database({ state: 'Failed', differences, failure, tables })],
    }),
    plain,
  );
  expect(text).toMatch(/aa11 +bb22 +NO/);
  expect(text).toContain('Difference (checksum) in "t": Rows differ.\n  first keys: (1); (2)');
  expect(text).toContain('They differ. (database "shop") Mend it.');
});

test('findings come with their remedy, successes stay out', () => {
  const findings = [
    { rule: 'reachable', state: 'Succeeded' as const, message: 'Both answer.' },
    {
      rule: 'target-empty',
      state: 'Failed' as const,
      database: 'shop',
      message: 'It is not empty.',
      remedy: 'Empty it.',
    },
  ];
  const text = reportText(report({ state: 'ValidationFailed', findings, databases: [] }), plain);
  expect(text).toContain('Failed (target-empty in shop): It is not empty. Empty it.');
  expect(text).not.toContain('Both answer');
});

test('a database that never began and tables beyond the report are said', () => {
  const waiting = database({
    startedAt: undefined,
    endedAt: undefined,
    tables: undefined,
    state: 'Canceled',
  });
  expect(reportText(report({ databases: [waiting] }), plain)).toContain('Database shop: Canceled, not begun');
  expect(reportText(report({ databases: [database({ tablesTotal: 2_000 })] }), plain)).toContain(
    'and 1,999 smaller tables',
  );
});

test('databases that a validation never came to are left out', () => {
  const never = database({
    startedAt: undefined,
    endedAt: undefined,
    tables: undefined,
    state: 'InProgress',
  });
  expect(reportText(report({ state: 'ValidationFailed', databases: [never] }), plain)).not.toContain(
    'Database shop',
  );
});

test('a name cannot forge a line or command the terminal', () => {
  const evil = 'a\nDatabase b: Succeeded\u001b[2J\u009b1m';
  const text = reportText(
    report({ databases: [database({ database: evil, tables: [table(evil)] })] }),
    plain,
  );
  expect(text).not.toContain('\u001b');
  expect(text).not.toContain('\u009b');
  expect(text).not.toMatch(/^Database b/m);
  expect(formatName(evil)).toBe('a\\x0aDatabase b: Succeeded\\x1b[2J\\x9b1m');
});

test('the file is private and holds the same report', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flexlift-report-'));
  try {
    const path = await writeReport(join(directory, 'reports'), report());
    expect(path).toMatch(/reports\/m-abcdef01\.json$/);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(report());
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('the page in the Web UI', () => {
  const engine = { uiUrl: 'http://localhost:8233/', namespace: 'my ns' };
  expect(webUiPage(engine, 'migration/new:5432/m')).toBe(
    'http://localhost:8233/namespaces/my%20ns/workflows/migration%2Fnew%3A5432%2Fm',
  );
  expect(webUiPage({ namespace: 'x' }, 'y')).toBeUndefined();
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_500, '1.5 kB'],
  [2_100_000_000, '2.1 GB'],
])('%d bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0.04, '0.0 s'],
  [9.96, '10.0 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [3_599.6, '1 h'],
  [7_500, '2 h 5 min'],
  [100_000, '1 d 3 h'],
])('%d seconds', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));
