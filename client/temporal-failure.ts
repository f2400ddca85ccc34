import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { FlexliftError } from '../contract';

// gRPC's own status codes; see https://grpc.io/docs/guides/status-codes/
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

export interface TemporalPlace {
  address: string;
  namespace: string;
}

/** The failure in our words where Temporal itself is what fails; undefined for all else. */
export function describeTemporalFailure(error: unknown, place: TemporalPlace): FlexliftError | undefined {
  const { address, namespace } = place;
  if (error instanceof NamespaceNotFoundError || hasCause(error, NamespaceNotFoundError)) {
    return unreachable(
      `Temporal at ${address} has no namespace ${JSON.stringify(namespace)}.`,
      'Create it, or set TEMPORAL_NAMESPACE.',
    );
  }
  const code = grpcCode(error);
  if (code === PERMISSION_DENIED || code === UNAUTHENTICATED) {
    return unreachable(
      `Temporal at ${address} refuses us in namespace ${JSON.stringify(namespace)}.`,
      'Check TEMPORAL_API_KEY, or the certificates of the profile.',
    );
  }
  if (code === UNAVAILABLE || code === DEADLINE_EXCEEDED || isConnectTimeout(error)) {
    return unreachable(
      `Temporal at ${address} does not answer.`,
      'Start it, or correct TEMPORAL_ADDRESS; without one flexlift starts its own server.',
    );
  }
  return undefined;
}

/** What `work` throws, in our words where Temporal itself is what fails. */
export async function inOurWords<T>(place: TemporalPlace, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw describeTemporalFailure(error, place) ?? error;
  }
}

/** The server or the network is away for now: worth another try. */
export function isTemporalAway(error: unknown): boolean {
  const code = grpcCode(error);
  return code === UNAVAILABLE || code === DEADLINE_EXCEEDED;
}

export function isWorkflowUnknown(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError;
}

export function grpcCode(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof Error && error.cause !== undefined ? grpcCode(error.cause) : undefined;
}

function isConnectTimeout(error: unknown): boolean {
  return error instanceof Error && /failed to connect before the deadline/i.test(error.message);
}

function hasCause(error: unknown, type: new (namespace: string) => Error): boolean {
  return error instanceof Error && error.cause instanceof type;
}

function unreachable(sentence: string, remedy: string): FlexliftError {
  return new FlexliftError({ code: 'TemporalUnreachable', sentence, remedy });
}
