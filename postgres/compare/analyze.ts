import { DatabaseError, type Client } from 'pg';
import type { FailureCode, FailureFields } from '../../contract';
import {
  codeOfSqlState,
  isOutOfLocks,
  mapPostgresError,
  quoteQualified,
  serverName,
  shareWork,
} from '../connect';
import { withLedger, type LedgerIdentity } from '../ledger';

export interface AnalyzeRequest {
  /** Sessions on the target that share the work; at least one. */
  clients: Client[];
  identity: LedgerIdentity;
  signal: AbortSignal;
  /** For how long other servers are waited for, where a table has foreign ones below it. Milliseconds. */
  foreignTimeout?: number;
  /** Called before each round, e.g. `ANALYZE 40 of 120 tables`. */
  onProgress?: (what: string) => void;
}

export interface AnalyzeOutcome {
  /** How many tables this call analyzed. */
  analyzed: number;
  /** Why tables have no statistics, of all calls; each names its table. */
  left: FailureFields[];
}

interface Relation {
  name: string;
  pages: number;
  /** Below it are foreign tables: they are read, too. */
  readsForeign: boolean;
}

/** A round ends with the table that fills it: so many tables, or so many pages (8 kB each). */
const ROUND_TABLES = 100;
const ROUND_PAGES = 16_384;

const FOREIGN_TIMEOUT = 60_000;

/** What passes by itself is tried again. */
const PASSING: FailureCode[] = [
  'ServerRestarting',
  'TooManyConnections',
  'Contention',
  'StatementCancelled',
  'ResourceExhausted',
];

/**
 * Gathers planner statistics of all user tables and populated materialized views, each once: a round of small ones
 * commits with its rows in the ledger. A partition is analyzed with the root of its tree, which needs statistics of its
 * own; where that root has foreign partitions, maybe out of reach, by itself before it. Statistics are no data: where a
 * table's cannot be had, the ledger notes why, and the next one's turn comes.
 *
 * @throws FlexliftError LedgerForeign, LedgerReleased
 */
export async function analyzeDatabase(request: AnalyzeRequest): Promise<AnalyzeOutcome> {
  const { clients, signal, onProgress } = request;
  const [client] = clients;
  if (client === undefined) throw new Error('nobody to analyze');
  const relations = await unanalyzed(client);
  let begun = 0;
  let analyzed = 0;
  const analyzeNext = async (session: Client, round: Relation[]) => {
    signal.throwIfAborted();
    onProgress?.(`ANALYZE ${begun + 1} to ${begun + round.length} of ${relations.length} tables`);
    begun += round.length;
    const inRound = await analyzeRound({ ...request, client: session }, round);
    analyzed += inRound;
  };
  await shareWork(clients, roundsOf(relations.filter(({ readsForeign }) => !readsForeign)), analyzeNext);
  // by one, and behind the others: they lock partitions that have rounds of their own
  await shareWork([client], roundsOf(relations.filter(({ readsForeign }) => readsForeign)), analyzeNext);
  return { analyzed, left: await leftUnanalyzed(client) };
}

type RoundRequest = AnalyzeRequest & { client: Client };

/** One that fails is rolled back with its round, so that the round is then done table by table. */
async function analyzeRound(request: RoundRequest, round: Relation[]): Promise<number> {
  const { client, identity, signal, foreignTimeout = FOREIGN_TIMEOUT } = request;
  const [first] = round;
  if (first === undefined) return 0;
  try {
    await withLedger(client, identity, async () => {
      if (first.readsForeign) await client.query(`SET LOCAL statement_timeout = ${foreignTimeout}`);
      await analyze(client, round);
    });
    return round.length;
  } catch (error) {
    signal.throwIfAborted();
    if (!isPassedOver(error, first)) throw error;
    if (round.length === 1) {
      const failure = mapPostgresError(error, {
        side: 'target',
        server: serverName(client),
        database: client.database,
        object: first.name,
      });
      await withLedger(client, identity, () => note(client, first, failure.fields));
      return 0;
    }
    let analyzed = 0;
    for (const relation of round) analyzed += await analyzeRound(request, [relation]);
    return analyzed;
  }
}

/** What another server says may be of any kind; were it said by this one, nothing could be noted. */
function isPassedOver(error: unknown, { readsForeign }: Relation): boolean {
  if (!(error instanceof DatabaseError)) return false;
  // a root's statistics take a lock on each of its partitions and their indexes
  return readsForeign || isOutOfLocks(error) || !PASSING.includes(codeOfSqlState(error.code ?? ''));
}

async function note(client: Client, { name }: Relation, failure: FailureFields): Promise<void> {
  await client.query(
    `INSERT INTO flexlift.step (kind, key, detail) VALUES ('analyze', $1, $2) ON CONFLICT DO NOTHING`,
    [name, JSON.stringify(failure)],
  );
}

async function leftUnanalyzed(client: Client): Promise<FailureFields[]> {
  const { rows } = await client.query<{ detail: FailureFields }>(
    `SELECT detail FROM flexlift.step WHERE kind = 'analyze' AND detail IS NOT NULL ORDER BY key`,
  );
  return rows.map((row) => row.detail);
}

async function unanalyzed(client: Client): Promise<Relation[]> {
  const { rows } = await client.query<{
    schema: string;
    name: string;
    pages: number;
    reads_foreign: boolean;
  }>(
    `WITH RECURSIVE above(oid) AS (
            SELECT i.inhparent FROM pg_catalog.pg_inherits i
              JOIN pg_catalog.pg_class f ON f.oid = i.inhrelid AND f.relkind = 'f'
             UNION SELECT i.inhparent FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.oid),
          beside(oid) AS (
            SELECT oid FROM above
             UNION SELECT i.inhrelid FROM beside JOIN pg_catalog.pg_inherits i ON i.inhparent = beside.oid)
     SELECT n.nspname AS schema, c.relname AS name, c.oid IN (SELECT oid FROM above) AS reads_foreign,
            CASE WHEN c.relkind = 'p' THEN ${ROUND_PAGES}
                 ELSE (pg_catalog.pg_relation_size(c.oid) / 8192)::pg_catalog.float8 END AS pages
       FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'm', 'p') AND c.relispopulated AND c.relpersistence <> 't'
        AND (NOT c.relispartition OR c.oid IN (SELECT oid FROM beside))
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'flexlift')
      ORDER BY reads_foreign, pages DESC, c.oid`,
  );
  const steps = await client.query<{ key: string }>(`SELECT key FROM flexlift.step WHERE kind = 'analyze'`);
  const analyzed = new Set(steps.rows.map((step) => step.key));
  return rows
    .map(({ schema, name, pages, reads_foreign: readsForeign }) => ({
      name: quoteQualified(schema, name),
      pages: readsForeign ? ROUND_PAGES : pages,
      readsForeign,
    }))
    .filter((relation) => !analyzed.has(relation.name));
}

function* roundsOf(relations: Relation[]): Generator<Relation[]> {
  let round: Relation[] = [];
  let pages = 0;
  for (const relation of relations) {
    round.push(relation);
    pages += relation.pages;
    if (round.length < ROUND_TABLES && pages < ROUND_PAGES) continue;
    yield round;
    round = [];
    pages = 0;
  }
  if (round.length > 0) yield round;
}

async function analyze(client: Client, round: Relation[]): Promise<void> {
  const { rows } = await client.query<{ key: string }>(
    `INSERT INTO flexlift.step (kind, key)
     SELECT 'analyze', name FROM pg_catalog.unnest($1::pg_catalog.text[]) AS name
         ON CONFLICT DO NOTHING RETURNING key`,
    [round.map((relation) => relation.name)],
  );
  if (rows.length > 0) await client.query(`ANALYZE ${rows.map((row) => row.key).join(', ')}`);
}
