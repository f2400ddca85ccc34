import { DatabaseError } from 'pg';
import type { Lsn } from '../lsn';

/** https://www.postgresql.org/docs/current/protocol-replication.html#PROTOCOL-REPLICATION-START-REPLICATION */
export const XLOG_DATA = 'w'.charCodeAt(0);
export const KEEPALIVE = 'k'.charCodeAt(0);
/** Before an XLogData's content: its type, two positions and a time. */
export const XLOG_DATA_HEADER = 1 + 3 * 8;

const MICROSECONDS_TO_SERVER_EPOCH = 946_684_800_000_000n;

export interface Keepalive {
  /** The server has sent all there is before it. */
  sentTo: Lsn;
  replyRequested: boolean;
}

export function readKeepalive(buffer: Buffer, start: number): Keepalive {
  return { sentTo: buffer.readBigUInt64BE(start + 1), replyRequested: buffer.readUInt8(start + 17) === 1 };
}

/**
 * A standby status update, in its CopyData message. Written, flushed and applied are one to us. Position 0 moves nothing
 * on the server: it takes 0 as "not known".
 */
export function statusUpdate(confirmed: Lsn, requestReply: boolean): Buffer {
  const frame = Buffer.alloc(5 + 34);
  frame.write('d', 0);
  frame.writeUInt32BE(frame.length - 1, 1);
  frame.write('r', 5);
  for (const at of [6, 14, 22]) frame.writeBigUInt64BE(confirmed, at);
  frame.writeBigInt64BE(BigInt(Date.now()) * 1000n - MICROSECONDS_TO_SERVER_EPOCH, 30);
  frame.writeUInt8(requestReply ? 1 : 0, 38);
  return frame;
}

/** Terminate; a walsender takes it even where it waits for us to read. */
export const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);

/** An ErrorResponse or NoticeResponse. https://www.postgresql.org/docs/current/protocol-error-fields.html */
export function readReport(payload: Buffer): DatabaseError {
  const fields = new Map(
    payload
      .toString('utf8')
      .split('\0')
      .map((field) => [field.charAt(0), field.slice(1)]),
  );
  const report = new DatabaseError(fields.get('M') ?? 'unknown error', payload.length, 'error');
  report.severity = fields.get('V') ?? fields.get('S');
  report.code = fields.get('C');
  report.schema = fields.get('s');
  report.table = fields.get('t');
  return report;
}
