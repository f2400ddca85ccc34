import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { MigrationHandle, Migrations } from './migration';

/** Beyond this a history has outgrown its bound; see design: no history nears 4,000 events. */
const EVENTS = 4_000;

/** What the tests' workers run. */
export const WORKFLOWS = { codePath: join(__dirname, '../../dist/workers/workflow-bundle.js') };

let installed = false;

/** Replays the histories of a migration and of all below it: code that is not deterministic fails here. */
export async function replay(migrations: Migrations, handle: MigrationHandle): Promise<void> {
  if (!installed) Runtime.install({ logger: new DefaultLogger('ERROR') });
  installed = true;
  for (const workflowId of await workflowTree(migrations, handle.workflowId)) {
    const history = await migrations.client.workflow.getHandle(workflowId).fetchHistory();
    expect(history.events?.length ?? 0).toBeLessThan(EVENTS);
    await Worker.runReplayHistory({ workflowBundle: WORKFLOWS }, history, workflowId);
  }
}

async function workflowTree(migrations: Migrations, root: string): Promise<string[]> {
  const ids = [root];
  const query = `RootWorkflowId = '${root.replaceAll("'", "''")}'`;
  for await (const execution of migrations.client.workflow.list({ query })) {
    if (!ids.includes(execution.workflowId)) ids.push(execution.workflowId);
  }
  return ids;
}
