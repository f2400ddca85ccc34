import { z } from 'zod';
import type { Throttle, ThrottleRequest } from '../contract';

/** Bytes a second. With less a socket's buffer would take longer than a server waits for an answer. */
const LOWEST_RATE = 64 * 1024;

const maxRate = z.int('must be a whole number').min(LOWEST_RATE, 'must be at least 64 kB a second');
const maxConnections = z.int('must be a whole number').min(1, 'must be at least 1');

export const throttle = z.strictObject({
  maxRate: maxRate.optional(),
  maxConnections: maxConnections.optional(),
} satisfies Record<keyof Throttle, z.ZodType>);

export const throttleRequest = z
  .strictObject({
    maxRate: maxRate.nullable().optional(),
    maxConnections: maxConnections.nullable().optional(),
  } satisfies Record<keyof ThrottleRequest, z.ZodType>)
  .refine(
    (change) => change.maxRate !== undefined || change.maxConnections !== undefined,
    'must change maxRate or maxConnections',
  );
