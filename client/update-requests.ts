import { z } from 'zod';
import type {
  CutoverRequest,
  DatabasesRequest,
  FenceMode,
  RecopyRequest,
  ThrottleRequest,
} from '../contract';
import { checkShape } from './check-shape';
import { throttleRequest } from './throttle-shapes';

/** How a cutover is to go. */
export interface CutoverOptions extends DatabasesRequest {
  /** Default `read-only`. */
  fence?: FenceMode;
  /** It is refused while more WAL of the source than this is not applied. Bytes. Default {@link DEFAULT_MAX_LAG}. */
  maxLagBytes?: number;
  /**
   * It is refused, before anything is fenced, where tables of more than this would have to be compared while the
   * application waits: those that are not proven, and those whose changed rows cannot be told. Bytes. Default
   * {@link DEFAULT_MAX_COMPARE}.
   */
  maxCompareBytes?: number;
}

export const DEFAULT_FENCE: FenceMode = 'read-only';
/** Bytes. */
export const DEFAULT_MAX_LAG = 1024 ** 2;
/** Bytes; read on both sides within some seconds. */
export const DEFAULT_MAX_COMPARE = 1024 ** 3;

const bytes = z.int('must be a whole number').min(0, 'must not be negative');
const name = z.string().min(1, 'must not be empty');
const databases = z.array(name).min(1, 'must name at least one database; leave it out for all').optional();

const databasesRequest = z.strictObject({ databases } satisfies Record<keyof DatabasesRequest, z.ZodType>);

const cutoverOptions = z.strictObject({
  databases,
  fence: z.enum(['read-only', 'revoke-connect', 'none']).optional(),
  maxLagBytes: bytes.optional(),
  maxCompareBytes: bytes.optional(),
} satisfies Record<keyof CutoverOptions, z.ZodType>);

const recopyRequest = z.strictObject({
  database: name.optional(),
  table: name.optional(),
} satisfies Record<keyof RecopyRequest, z.ZodType>);

/** @throws RequestError */
export function checkThrottleRequest(request: ThrottleRequest): ThrottleRequest {
  return checkShape(throttleRequest, request);
}

/** @throws RequestError */
export function checkDatabasesRequest(request: DatabasesRequest): DatabasesRequest {
  return checkShape(databasesRequest, request);
}

/** @throws RequestError */
export function checkCutoverOptions(options: CutoverOptions): CutoverRequest {
  const {
    fence = DEFAULT_FENCE,
    maxLagBytes = DEFAULT_MAX_LAG,
    maxCompareBytes = DEFAULT_MAX_COMPARE,
    ...rest
  } = checkShape(cutoverOptions, options);
  return { ...rest, fence, maxLagBytes, maxCompareBytes };
}

/** @throws RequestError */
export function checkRecopyRequest(request: RecopyRequest): RecopyRequest {
  return checkShape(recopyRequest, request);
}
