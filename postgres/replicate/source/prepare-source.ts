import type { Client } from 'pg';
import { FlexliftError, type KeylessTables } from '../../../contract';
import { mayBeReplica, serverVersion } from '../../catalog';
import { withConnection, type Endpoint } from '../../connect';
import { lockStream, withLedger, WITHOUT_SLOT, type LedgerIdentity } from '../../ledger';
import { identifySystem } from '../pgoutput';
import type { ClassifiedTable } from './classify-tables';
import { slotName } from './names';
import { keepPublicationMarks, publicationMarks } from './publication-marks';
import { areStanding, publishTables } from './publish-tables';
import { createSlot, dropSlot, slotState } from './slot';
import { describeSourceObject, sourceObjects } from './source-objects';
import { takeSourceTurn } from './source-turn';

export interface PrepareSource {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  migrationId: string;
  keylessTables: KeylessTables;
  /** How long one table is waited for before the next attempt, milliseconds. */
  lockTimeout: number;
  signal: AbortSignal;
  /** Says, for a person, what is being done or waited for. */
  onProgress: (what: string) => void;
}

export interface SourcePreparation {
  slot: string;
  /** Where the stream begins. */
  lsn: string;
  /** What now stands on the source, for a person. */
  sourceObjects: string[];
}

/**
 * Makes all that an online migration needs on its source: publications, replica identities by consent, and last the
 * permanent slot, whose position becomes the ledger's. Goes on where an attempt that died has left off; once the ledger
 * has its row, changes nothing any more.
 *
 * @throws FlexliftError SlotLost where the ledger relies on what is gone from the source, or tables were being emptied
 */
export async function prepareSource(args: PrepareSource): Promise<SourcePreparation> {
  const { source, database, signal } = args;
  const stream = await withTarget(args, readStream);
  return await withConnection(source, database, signal, async (client) => {
    await takeSourceTurn(client, { migrationId: args.migrationId, signal });
    if (stream !== undefined) {
      await checkStanding(client, args, stream.slot);
      return await describe(client, args, stream);
    }
    return await makeStream(client, args);
  });
}

/**
 * For a recopy of everything: a new slot, and the ledger's position is set to it; to be called once all is emptied, else it
 * was done before. What the ledger holds of tables, proofs and changes is the caller's to reset.
 */
export async function newSlot(args: PrepareSource): Promise<SourcePreparation> {
  const { source, database, migrationId, signal } = args;
  return await withConnection(source, database, signal, async (client) => {
    await takeSourceTurn(client, { migrationId, signal });
    const made = await withTarget(args, readStream);
    if (made !== undefined) return await describe(client, args, made);
    await dropSlot(client, { slot: slotName(migrationId, database), migrationId, signal });
    return await makeStream(client, args);
  });
}

async function makeStream(client: Client, args: PrepareSource): Promise<SourcePreparation> {
  const { database, migrationId, signal } = args;
  const slot = slotName(migrationId, database);
  const drop = () => dropSlot(client, { slot, migrationId, signal });
  const tables = await publishTables({ ...args, client }, drop);
  const marks = await publicationMarks(client, migrationId);
  // before the slot is made, hence before any copy: what a failover loses later is missed
  const { systemIdentifier, timeline } = await withConnection(args.source, database, signal, identifySystem, {
    replication: true,
  });
  const state = await slotState(client, slot);
  const isUsable = state?.confirmedLsn !== undefined && !state.lost;
  if (!isUsable) await drop();
  const lsn = isUsable ? state.confirmedLsn : await createSlot({ ...args, client, slot });
  const stream = { slot, lsn: lsn ?? '0/0', systemIdentifier, timeline };
  await withTarget(args, async (target) => {
    await lockStream(target, 'UPDATE');
    // whoever took the turn from us has ended this session, and made another slot
    await client.query('SELECT');
    await saveStream(target, stream);
    await keepPublicationMarks(target, marks);
    await followIdentities(target, tables);
  });
  return await describe(client, args, stream);
}

async function withTarget<T>(args: PrepareSource, work: (target: Client) => Promise<T>): Promise<T> {
  const { target, database, signal, identity } = args;
  return await withConnection(target, database, signal, (client) =>
    withLedger(client, identity, () => work(client)),
  );
}

async function readStream(target: Client): Promise<{ slot: string; lsn: string } | undefined> {
  const { rows } = await target.query<{ slot: string; lsn: string }>(
    'SELECT slot, lsn FROM flexlift.stream WHERE lsn <> $1',
    [WITHOUT_SLOT.emptied],
  );
  if (rows[0]?.lsn !== WITHOUT_SLOT.emptying) return rows[0];
  throw new FlexliftError({
    code: 'SlotLost',
    sentence: 'The tables were being emptied, to be copied anew, when that was ended.',
    remedy: 'Copy the database anew with recopy.',
    side: 'target',
  });
}

/** Of tables that were loaded before: one may have got a key since, or lost it. */
async function followIdentities(target: Client, tables: ClassifiedTable[]): Promise<void> {
  await target.query(
    `UPDATE flexlift.table_load t SET identity = c.identity
       FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.text[]))
            AS c(table_oid, identity)
      WHERE t.table_oid = c.table_oid AND t.identity <> c.identity`,
    [tables.map(({ oid }) => oid), tables.map(({ identity }) => identity)],
  );
}

async function saveStream(
  target: Client,
  stream: { slot: string; lsn: string; systemIdentifier: string; timeline: number },
): Promise<void> {
  const replicaRole = await mayBeReplica(target);
  await target.query(
    `INSERT INTO flexlift.stream (slot, system_identifier, timeline, lsn, replica_role) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (singleton) DO UPDATE
        SET slot = EXCLUDED.slot, system_identifier = EXCLUDED.system_identifier, timeline = EXCLUDED.timeline,
            lsn = EXCLUDED.lsn, replica_role = EXCLUDED.replica_role`,
    [stream.slot, stream.systemIdentifier, stream.timeline, stream.lsn, replicaRole],
  );
}

async function checkStanding(client: Client, args: PrepareSource, slot: string): Promise<void> {
  const { major } = await serverVersion(client);
  const state = await slotState(client, slot);
  if (state === undefined) throw lost(`The replication slot ${slot} is gone from the source.`);
  if (state.lost) throw lost(`The source has removed WAL that the replication slot ${slot} needs.`);
  if (await areStanding(client, args.migrationId, major)) return;
  throw lost('The publications of this migration are gone from the source, or were altered.');
}

async function describe(
  client: Client,
  { migrationId }: PrepareSource,
  { slot, lsn }: { slot: string; lsn: string },
): Promise<SourcePreparation> {
  const objects = await sourceObjects(client, migrationId);
  return { slot, lsn, sourceObjects: objects.map(describeSourceObject) };
}

function lost(sentence: string): FlexliftError {
  return new FlexliftError({
    code: 'SlotLost',
    sentence,
    remedy: 'Copy the database anew with recopy: changes since then cannot be had any more.',
    side: 'source',
  });
}
