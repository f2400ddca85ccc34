import type { TidySourceRequest } from '../contract';
import { activityClasses } from './activities';
import { failed } from './failure';

/**
 * After a migration has ended: lifts the fence that stayed on its source, or takes away all that is left there.
 *
 * @returns what was removed, for a person
 * @throws ApplicationFailure CleanUpNeeded where the source cannot be reached
 */
export async function tidySource({ request, databases, what }: TidySourceRequest): Promise<string[]> {
  const { long } = activityClasses(request);
  const results = await Promise.all(
    databases.map((database) => long.takeAwaySource({ request, database, what })),
  );
  const [left] = results.flatMap((result) => (result.left === undefined ? [] : [result.left]));
  if (left !== undefined) throw failed(left.failure);
  return results.flatMap((result) => result.removed);
}
