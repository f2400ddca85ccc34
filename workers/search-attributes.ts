import type { NativeConnection } from '@temporalio/worker';
import { SEARCH_ATTRIBUTES } from '../contract';

/** IndexedValueType of temporal.api.enums.v1. */
const KEYWORD = 2;

/**
 * Registers flexlift's search attributes, so that migrations can be found by them. Where the server refuses, for
 * instance for want of a right, migrations run without.
 *
 * @returns whether they are there
 */
export async function registerSearchAttributes(
  connection: NativeConnection,
  namespace: string,
): Promise<boolean> {
  const { operatorService } = connection;
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = Object.values(SEARCH_ATTRIBUTES).filter((name) => customAttributes?.[name] === undefined);
    if (missing.length === 0) return true;
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
    await operatorService.addSearchAttributes({ namespace, searchAttributes });
    return true;
  } catch {
    return false;
  }
}
