import { executeChild, workflowInfo } from '@temporalio/workflow';
import { loadWorkflowId, type Amounts, type LoadStep } from '../contract';
import { load } from './load.workflow';

/** What is left to load of a database, as a child of its workflow. */
export async function loadRows(step: LoadStep): Promise<Amounts> {
  return await executeChild(load, {
    workflowId: loadWorkflowId(workflowInfo().workflowId),
    args: [step],
    staticSummary: `load of ${step.database}`,
  });
}
