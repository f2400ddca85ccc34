import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { WORKFLOWS } from '../support/replay';

const FOLDER = join(__dirname, '../histories');

interface RecordedHistory {
  events: { workflowExecutionStartedEventAttributes?: { workflowId: string } }[];
}

/**
 * Histories of migrations that ran with earlier code (`temporal workflow show --output json`): a workflow that no longer
 * replays them would strand theirs.
 */
it.each(readdirSync(FOLDER).filter((file) => file.endsWith('.json')))('%s replays', async (file) => {
  const history = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as RecordedHistory;
  const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  await Worker.runReplayHistory({ workflowBundle: WORKFLOWS }, history, workflowId);
});
