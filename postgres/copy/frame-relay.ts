import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { atSide, socketOf, whileFed } from '../connect';
import { COPY_DONE, copyFail, CopyIn, CopyOut } from './copy-statement';
import { FrameWalker } from './frame-walker';
import type { Pace } from './pace';
import { SourceFlow } from './source-flow';

export interface CopiedAmount {
  rows: number;
  /** Bytes of COPY data. */
  bytes: number;
}

export interface RelayArguments {
  source: Client;
  target: Client;
  /** `COPY … TO STDOUT` */
  copyTo: string;
  /** `COPY … FROM STDIN`, of the same format and encoding. */
  copyFrom: string;
  /** The table's quoted name, for failures. */
  object?: string;
  signal: AbortSignal;
  /** Absent: as fast as the bytes come. */
  pace?: Pace;
  /** Called for every chunk; `rows` may be one too many in the binary format. */
  onProgress?: (progress: CopiedAmount) => void;
}

/**
 * Streams one table from server to server: CopyData messages have the same shape in both directions, so they pass
 * unparsed from socket to socket, whatever their size, and no faster than the target takes them.
 *
 * On a failure both statements are over before this rejects. Where the failure is the target's, the source's connection
 * is closed, for nothing else stops its statement; where one came in the middle of a message, the target's is closed.
 *
 * @throws FlexliftError with the side that failed first; DataRejected where the target stored another number of rows
 * than the source sent
 */
export async function relayCopy(args: RelayArguments): Promise<CopiedAmount> {
  const { source, target, signal } = args;
  signal.throwIfAborted();
  const stop = () => {
    socketOf(source).destroy();
    socketOf(target).destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await relay(args);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function relay({
  source,
  target,
  copyTo,
  copyFrom,
  object,
  pace,
  onProgress,
}: RelayArguments): Promise<CopiedAmount> {
  const [sourceSocket, targetSocket] = [socketOf(source), socketOf(target)];
  const copyIn = target.query(new CopyIn(copyFrom));
  const stored = atSide('target', target, () => copyIn.finished, object);
  stored.catch(() => undefined);
  await atSide('target', target, () => copyIn.accepted, object);

  let use = chunkUse(() => undefined);
  const flow = new SourceFlow(sourceSocket, targetSocket, pace);
  const walker = new FrameWalker((run) => {
    targetSocket.write(run, use.more());
    flow.passed(run.length);
    onProgress?.({ rows: walker.frames, bytes: walker.bytes });
  });
  const walk = (chunk: Buffer, release: () => void) => {
    use = chunkUse(release);
    const ended = use.more();
    const rest = walker.push(chunk);
    ended();
    return rest;
  };
  const copyOut = source.query(new CopyOut(copyTo, walk));
  const sent = atSide('source', source, () => copyOut.finished, object);
  try {
    // before it was told the end, the target can only fail
    const rows = await whileFed(target, () => Promise.race([sent, stored]));
    targetSocket.write(COPY_DONE);
    checkStored(rows, await stored, object);
    return { rows, bytes: walker.bytes };
  } catch (error) {
    if (!copyOut.settled) sourceSocket.destroy();
    if (walker.insideFrame) targetSocket.destroy();
    else if (!copyIn.settled) targetSocket.write(copyFail('the source failed'));
    await Promise.allSettled([sent, stored]);
    throw error;
  } finally {
    flow.end();
  }
}

/** A chunk is released when all its runs are written, and it is walked to its end. */
function chunkUse(release: () => void): { more: () => () => void } {
  let uses = 0;
  const end = () => {
    uses -= 1;
    if (uses === 0) release();
  };
  return {
    more: () => {
      uses += 1;
      return end;
    },
  };
}

function checkStored(sent: number, stored: number, object: string | undefined): void {
  if (sent === stored) return;
  throw new FlexliftError({
    code: 'DataRejected',
    sentence: `The source sent ${sent} rows and the target stored ${stored}.`,
    remedy: 'Look for a trigger or rule on the target that drops or adds rows.',
    object,
  });
}
