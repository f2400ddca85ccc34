import { startChild, workflowInfo } from '@temporalio/workflow';
import { loadWorkflowId, type Amounts, type LoadStep, type ThrottleShare } from '../contract';
import { load } from './load.workflow';
import { passOn } from './source-throttle';

/** What is left to load of a database, as a child of its workflow. */
export async function loadRows(step: LoadStep, share: () => ThrottleShare): Promise<Amounts> {
  const told = share();
  const child = await startChild(load, {
    workflowId: loadWorkflowId(workflowInfo().workflowId),
    args: [step, told],
    staticSummary: `load of ${step.database}`,
  });
  return await passOn(child, { share, told, result: child.result() });
}
