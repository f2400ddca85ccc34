import type { WorkflowExecutionInfo } from '@temporalio/client';

/** A paused workflow is one that runs: its server holds its tasks back for a while. */
export function isOpen({ status }: Pick<WorkflowExecutionInfo, 'status'>): boolean {
  return status.name === 'RUNNING' || status.name === 'PAUSED';
}
