import { CancellationScope, isCancellation } from '@temporalio/workflow';

/**
 * Runs all tasks; the first failure cancels the others, waits for their end and is thrown. (`Promise.all` would leave
 * them running while the workflow goes on.)
 */
export async function runAll(tasks: (() => Promise<unknown>)[]): Promise<void> {
  const scope = new CancellationScope({ cancellable: true });
  const outcomes = await scope.run(() =>
    Promise.allSettled(
      tasks.map(async (task) => {
        try {
          await task();
        } catch (error) {
          scope.cancel();
          throw error;
        }
      }),
    ),
  );
  const failures = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as Error] : [],
  );
  const first: Error | undefined = failures.find((error) => !isCancellation(error)) ?? failures[0];
  if (first !== undefined) throw first;
}
