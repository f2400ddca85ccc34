import type { Client } from 'pg';
import { endPredecessors, withConnection } from '../connect';
import { becomeProver } from '../ledger';
import type { ProveTablesArguments } from './prove-tables';

export interface ProofSide {
  /** Reads the tables, in a transaction under the side's snapshot. */
  reader: Client;
  readerPid: number;
  /** Never busy for long: looks out for who waits for the reader. */
  lookout: Client;
}

export interface ProofSessions {
  source: ProofSide;
  target: ProofSide;
  /** Talks with the applier and writes down what is proven; holds the prover's lock. */
  ledger: Client;
}

/** @throws FlexliftError Contention where another prover is at work */
export async function withProofSessions<T>(
  args: ProveTablesArguments,
  work: (sessions: ProofSessions) => Promise<T>,
): Promise<T> {
  const onSource = <R>(use: (client: Client) => Promise<R>) =>
    withConnection(args.source, args.database, args.signal, use);
  const onTarget = <R>(use: (client: Client) => Promise<R>) =>
    withConnection(args.target, args.database, args.signal, use);
  return await onTarget(async (ledger) => {
    await endEarlierAttempts(ledger, args);
    await becomeProver(ledger);
    return await onTarget((target) =>
      onSource((lookout) =>
        onSource(async (source) => {
          await endEarlierAttempts(lookout, args);
          return await work({
            source: { reader: source, readerPid: await processId(source), lookout },
            target: { reader: target, readerPid: await processId(target), lookout: ledger },
            ledger,
          });
        }),
      ),
    );
  });
}

async function endEarlierAttempts(
  client: Client,
  { predecessorPrefix }: ProveTablesArguments,
): Promise<void> {
  if (predecessorPrefix !== undefined) await endPredecessors(client, predecessorPrefix);
}

async function processId(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}
