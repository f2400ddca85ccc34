import { DatabaseError } from 'pg';
import { FlexliftError, type FailurePlace } from '../../../contract';
import { mapPostgresError } from '../../connect';

const RECOPY = 'Run flexlift recopy to copy the tables anew with a new slot.';

/** The name of a WAL segment, in whatever language the message is. */
const WAL_SEGMENT = /\b[0-9A-F]{24}\b/;

export function slotLost(
  sentence: string,
  place: FailurePlace,
  details: { sqlState?: string; cause?: unknown } = {},
): FlexliftError {
  const { sqlState, cause } = details;
  return new FlexliftError({ code: 'SlotLost', sentence, remedy: RECOPY, sqlState, ...place }, { cause });
}

/** Turns what ended a stream, or kept it from starting, into a failure of the vocabulary. */
export function streamFailure(error: unknown, place: FailurePlace): FlexliftError {
  if (error instanceof DatabaseError && isLoss(error)) {
    const sentence = `${error.message.replace(/\.$/, '')}.`;
    return slotLost(sentence, place, { sqlState: error.code, cause: error });
  }
  return replicationFailure(error, place);
}

/** Adds to the common failures what is particular to a replication connection. */
export function replicationFailure(error: unknown, place: FailurePlace): FlexliftError {
  const failure = mapPostgresError(error, place);
  const particular = PARTICULAR[failure.fields.sqlState ?? ''];
  return particular === undefined
    ? failure
    : new FlexliftError({ ...failure.fields, ...particular }, { cause: error });
}

/** By SQLSTATE. */
const PARTICULAR: Record<string, { sentence?: string; remedy: string }> = {
  '53300': {
    remedy: 'Raise max_wal_senders (or max_connections) on that server, or end replication connections.',
  },
  '53400': {
    remedy: 'Raise max_replication_slots on that server, or drop replication slots that nobody needs.',
  },
  // of an encoding with unassigned characters, which a copy takes over as they are
  '22P05': {
    sentence: 'A changed row holds a character that UTF8 lacks, and no change behind it can be read.',
    remedy:
      "Correct that text on the source (its server's log names the character), then run flexlift recopy to begin anew with a new slot.",
  },
};

/**
 * 42704: the slot is missing, or a publication was dropped (up to 17); 55000: the slot is invalid or another database's,
 * or a publication was dropped (18); 58P01: its WAL was removed.
 */
function isLoss({ code, message }: DatabaseError): boolean {
  return code === '42704' || code === '55000' || (code === '58P01' && WAL_SEGMENT.test(message));
}
