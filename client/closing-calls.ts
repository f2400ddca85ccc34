import { setMaxListeners } from 'node:events';
import { InterceptingCall, Metadata, status, type Interceptor, type NextCall } from '@grpc/grpc-js';

const CLOSED = { code: status.CANCELLED, details: 'The connection was closed.', metadata: new Metadata() };

/**
 * Ends the calls of a connection with it, and refuses those that come later. Left alone, a call that waits for its answer
 * keeps the process for as long as the server does, and one that waits for its next attempt throws where nobody can
 * catch it, for the channel is gone: it ends when that attempt is due, within seconds. To be put behind the interceptor that
 * makes those attempts.
 *
 * @param closed aborted when the connection is to be closed
 */
export function endCallsWith(closed: AbortSignal): Interceptor {
  // one for each call, and there may be many
  setMaxListeners(0, closed);
  return (options, nextCall) => {
    if (closed.aborted) return refusedCall();
    const call = nextCall(options);
    const cancel = (): void => call.cancelWithStatus(CLOSED.code, CLOSED.details);
    return new InterceptingCall(call, {
      start: (metadata, _listener, next) => {
        closed.addEventListener('abort', cancel);
        next(metadata, {
          onReceiveStatus: (ended, report) => {
            closed.removeEventListener('abort', cancel);
            report(ended);
          },
        });
      },
    });
  };
}

function refusedCall(): InterceptingCall {
  return new InterceptingCall(NO_CALL, {
    start: (_metadata, listener) => {
      // even an answer that failed has a message
      listener.onReceiveMessage(null);
      listener.onReceiveStatus(CLOSED);
    },
  });
}

const NO_CALL: ReturnType<NextCall> = {
  start: () => undefined,
  startRead: () => undefined,
  sendMessage: () => undefined,
  sendMessageWithContext: () => undefined,
  halfClose: () => undefined,
  cancelWithStatus: () => undefined,
  getPeer: () => '',
  getAuthContext: () => null,
};
