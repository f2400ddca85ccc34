import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { atSide, socketOf, whileFed, type Side } from '../connect';
import { COPY_DONE, copyFail, CopyIn, CopyOut } from './copy-statement';
import { FrameWalker } from './frame-walker';
import type { Pace } from './pace';
import { SourceFlow } from './source-flow';

export interface CopiedAmount {
  rows: number;
  /** Bytes of COPY data. */
  bytes: number;
}

export interface CopyPair {
  /** `COPY … TO STDOUT` */
  copyTo: string;
  /** `COPY … FROM STDIN`, of the same format and encoding. */
  copyFrom: string;
  /** The table's quoted name, for failures. */
  object?: string;
}

interface Relaying {
  source: Client;
  target: Client;
  signal: AbortSignal;
  /** Absent: as fast as the bytes come. */
  pace?: Pace;
  /** Called for every chunk. */
  onProgress?: (progress: RelayProgress) => void;
}

/** The sum over all copies; `rows` may be one too many in the binary format. */
export interface RelayProgress extends CopiedAmount {
  /** What is being copied. */
  object?: string;
}

export type RelayCopiesArguments = Relaying & {
  /** At least one. */
  copies: CopyPair[];
};

export interface RelayedCopy extends CopiedAmount {
  /** Since the copy before it was sent. */
  seconds: number;
}

/**
 * Streams tables from server to server: CopyData messages have the same shape in both directions, so they pass
 * unparsed from socket to socket, long ones divided, and no faster than the target takes them. Many tables cost two
 * round trips, as one does.
 *
 * On a failure the statements of both sides are over before this rejects. Where the failure is the target's, the source's
 * connection is closed, for nothing else stops its statement; where one came in the middle of a message, the target's is
 * closed.
 *
 * @returns in the order of `copies`
 * @throws FlexliftError with the side and the table that failed first; DataRejected where the target stored another number
 * of rows than the source sent
 */
export async function relayCopies(args: RelayCopiesArguments): Promise<RelayedCopy[]> {
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
  copies,
  pace,
  onProgress,
}: RelayCopiesArguments): Promise<RelayedCopy[]> {
  const [sourceSocket, targetSocket] = [socketOf(source), socketOf(target)];
  const copyIn = target.query(new CopyIn(copies.map(({ copyFrom }) => copyFrom)));
  const stored = naming('target', target, copyIn.finished, () => copies[copyIn.stored.length]?.object);
  stored.catch(() => undefined);
  await naming('target', target, copyIn.accepted, () => copies[0]?.object);

  let use = chunkUse(() => undefined);
  const flow = new SourceFlow(sourceSocket, targetSocket, pace);
  const sentCopies = new SentCopies();
  const walker = new FrameWalker({
    data: (run) => {
      targetSocket.write(run, use.more());
      flow.passed(run.length);
      const { object } = copies[sentCopies.list.length] ?? {};
      onProgress?.({ object, ...sentCopies.sumWith({ rows: walker.frames, bytes: walker.bytes }) });
    },
    complete: (rows) => {
      targetSocket.write(COPY_DONE);
      sentCopies.add({ rows, bytes: walker.bytes });
    },
  });
  const walk = (chunk: Buffer, release: () => void) => {
    use = chunkUse(release);
    const ended = use.more();
    // a chunk may hold many small tables
    targetSocket.cork();
    try {
      return walker.push(chunk);
    } finally {
      targetSocket.uncork();
      ended();
    }
  };
  const copyOut = source.query(
    new CopyOut(
      copies.map(({ copyTo }) => copyTo),
      walk,
    ),
  );
  const sent = naming('source', source, copyOut.finished, () => copies[sentCopies.list.length]?.object);
  try {
    await whileFed(target, () => Promise.race([sent, stored.then(() => sent)]));
    await stored;
    checkStored(sentCopies.list, copyIn.stored, copies);
    return sentCopies.list;
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

/** As {@link atSide}, with the table that was being copied when it failed. */
async function naming(
  side: Side,
  client: Client,
  work: Promise<void>,
  objectOf: () => string | undefined,
): Promise<void> {
  try {
    await work;
  } catch (error) {
    await atSide(side, client, () => Promise.reject(error as Error), objectOf());
  }
}

/** What the source has sent whole. */
class SentCopies {
  readonly list: RelayedCopy[] = [];
  private readonly sum: CopiedAmount = { rows: 0, bytes: 0 };
  private since = performance.now();

  add({ rows, bytes }: CopiedAmount): void {
    const now = performance.now();
    this.list.push({ rows, bytes, seconds: (now - this.since) / 1000 });
    this.since = now;
    this.sum.rows += rows;
    this.sum.bytes += bytes;
  }

  sumWith({ rows, bytes }: CopiedAmount): CopiedAmount {
    return { rows: this.sum.rows + rows, bytes: this.sum.bytes + bytes };
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

function checkStored(sent: RelayedCopy[], stored: number[], copies: CopyPair[]): void {
  for (const [index, { object }] of copies.entries()) {
    const rows = sent[index]?.rows;
    if (rows !== undefined && rows === stored[index]) continue;
    throw new FlexliftError({
      code: 'DataRejected',
      sentence: `The source sent ${rows} rows and the target stored ${stored[index]}.`,
      remedy: 'Look for a trigger or rule on the target that drops or adds rows.',
      object,
    });
  }
}
