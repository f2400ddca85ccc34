import { CancellationScope, isCancellation } from '@temporalio/workflow';

/**
 * Runs all tasks; the first failure cancels the others, waits for their end and is thrown. (`Promise.all` would leave
 * them running while the workflow goes on.)
 */
export async function runAll(tasks: (() => Promise<unknown>)[]): Promise<void> {
  const scope = new CancellationScope({ cancellable: true });
  // in the order they came: what is cancelled on a worker that is gone ends as a timeout
  const failures: Error[] = [];
  await scope.run(() =>
    Promise.all(
      tasks.map(async (task) => {
        try {
          await task();
        } catch (error) {
          failures.push(error as Error);
          scope.cancel();
        }
      }),
    ),
  );
  const first = failures.find((error) => !isCancellation(error)) ?? failures[0];
  if (first !== undefined) throw first;
}
