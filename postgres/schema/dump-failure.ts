import { FlexliftError, type FailureCode } from '../../contract';
import { quoteLiteral, serverName, withConnection } from '../connect';
import type { SchemaDump } from './dump-schema';

/**
 * Why pg_dump failed. It gives no SQLSTATE and the server's part of its messages comes in the server's language, so
 * what its own English words don't settle is found out by importing the snapshot in a session of ours.
 */
export async function dumpFailure(dump: SchemaDump, messages: string): Promise<FlexliftError> {
  const sentence = sentenceOf(messages);
  const code = codeOfMessages(messages) ?? (await codeOfProbe(dump));
  if (code instanceof FlexliftError) return code;
  return new FlexliftError({
    code,
    sentence,
    remedy: REMEDIES[code] ?? 'Nothing to do: it is tried again.',
    side: dump.endpoint.side,
    server: serverName(dump.endpoint.address),
    database: dump.database,
  });
}

const REMEDIES: Partial<Record<FailureCode, string>> = {
  ClientToolFailed:
    'Correct what pg_dump complains of on the source (a missing right: grant it to the user of this migration) and start again.',
  SnapshotLost: 'Nothing to do: a new snapshot is taken.',
  ResourceExhausted:
    'Raise max_locks_per_transaction on the source and restart it; the work goes on by itself.',
  Contention: 'Nothing to do: it is tried again; find who locks the table with pg_locks if it lasts.',
};

const CODES: [RegExp, FailureCode][] = [
  [
    /could not import the requested snapshot|invalid snapshot identifier|snapshot "[^"]*" does not exist/i,
    'SnapshotLost',
  ],
  [/terminating connection|shutting down|starting up|in recovery mode/i, 'ServerRestarting'],
  [/out of shared memory/i, 'ResourceExhausted'],
  [/statement timeout|lock timeout|deadlock detected/i, 'Contention'],
  [
    /server closed the connection|could not (receive|send) data|SSL (connection has been closed|SYSCALL)|Connection (refused|reset|timed out)|timeout expired|could not translate host name|No route to host/i,
    'Unreachable',
  ],
];

export function codeOfMessages(messages: string): FailureCode | undefined {
  return CODES.find(([pattern]) => pattern.test(messages))?.[1];
}

/** What pg_dump said first of the error, without its query and at most 500 characters. */
export function sentenceOf(messages: string): string {
  const said = /pg_dump: (?:error: |\[[^\]]*\] )?(?!warning: )([^]*?)(?=\npg_dump: |$)/.exec(
    messages.slice(Math.max(0, messages.search(/pg_dump: (error|\[)/))),
  )?.[1];
  const text = (said ?? messages).trim().replace(/\s+/g, ' ').replace(/\.$/, '');
  return `pg_dump: ${text === '' ? 'ended without a message' : text.slice(0, 500)}.`;
}

async function codeOfProbe(dump: SchemaDump): Promise<FailureCode | FlexliftError> {
  try {
    await withConnection(dump.endpoint, dump.database, dump.signal, async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(dump.snapshot)}`);
    });
    return 'ClientToolFailed';
  } catch (error) {
    if (!(error instanceof FlexliftError)) throw error;
    // the session works, the import is refused: SQLSTATE 22023, 42704 and 55000 by major
    return error.code === 'DataRejected' || error.code === 'StatementRejected' ? 'SnapshotLost' : error;
  }
}
