import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MigrationReport } from '../../cli/report/report';
import { itInAll } from '../support/all';
import { runCli } from '../support/cli';

const state = mkdtempSync(join(tmpdir(), 'flexlift-demo-test-'));

afterAll(() => rmSync(state, { recursive: true, force: true }));

itInAll('the demo kills its worker twice, cuts over, proves all equal and takes itself away', async () => {
  const { code, stdout, stderr } = await runCli(['demo', '--megabytes', '120', '--json'], {
    FLEXLIFT_STATE_DIR: state,
  });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr.match(/was killed with SIGKILL/g)).toHaveLength(2);
  expect(stderr).toMatch(/The application wrote \d+ transactions, [1-9]\d* of them to the target/);
  const { status } = JSON.parse(stdout) as MigrationReport;
  expect(status.state).toBe('Succeeded');
  for (const { cutover, tables = [] } of status.databases) {
    expect(cutover?.fencedSeconds).toBeGreaterThan(0);
    expect(tables.length).toBeGreaterThan(0);
    for (const { table, sourceChecksum, targetChecksum } of tables) {
      expect({ table, checksum: targetChecksum }).toEqual({ table, checksum: sourceChecksum ?? 'none' });
    }
  }
});
