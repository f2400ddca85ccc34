import {
  relayCopies,
  type CopiedAmount,
  type CopyPair,
  type RelayCopiesArguments,
} from '../../postgres/copy';

/** `relayCopies` of one table. */
export async function relayCopy({
  copyTo,
  copyFrom,
  object,
  ...args
}: Omit<RelayCopiesArguments, 'copies'> & CopyPair): Promise<CopiedAmount> {
  const [copied] = await relayCopies({ ...args, copies: [{ copyTo, copyFrom, object }] });
  return { rows: copied?.rows ?? 0, bytes: copied?.bytes ?? 0 };
}
