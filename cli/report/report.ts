import { randomBytes } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MigrationHandle, MigrationStatus } from '../../client';
import { webUiPage, type Engine } from '../engine';

/** What a migration ended with, as a file and as `--json`. */
export interface MigrationReport {
  /** Version of this shape. */
  version: 1;
  temporal: { address: string; namespace: string; workflowId: string; runId: string; webUi?: string };
  status: MigrationStatus;
}

export function createReport(
  engine: Engine,
  handle: MigrationHandle,
  status: MigrationStatus,
): MigrationReport {
  const { address, namespace } = engine;
  const { workflowId, runId } = handle.run;
  const webUi = webUiPage(engine, workflowId);
  return {
    version: 1,
    temporal: { address, namespace, workflowId, runId, ...(webUi === undefined ? {} : { webUi }) },
    status,
  };
}

/** Keeps the report beyond Temporal's retention. Gives the file's path. */
export async function writeReport(directory: string, report: MigrationReport): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { status, temporal } = report;
  const path = join(directory, `${status.name.replace(/[^\w.-]/g, '-')}-${temporal.runId.slice(0, 8)}.json`);
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
  return path;
}
