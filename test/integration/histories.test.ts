import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';

const FOLDER = join(__dirname, '../histories');

/** Histories of migrations that ran with earlier code: a workflow that no longer replays them would strand theirs. */
it.each(readdirSync(FOLDER).filter((file) => file.endsWith('.json')))('%s replays', async (file) => {
  const history: unknown = JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
  await Worker.runReplayHistory({ workflowsPath: require.resolve('../../workflows') }, history, file);
});
