import type { Client } from 'pg';
import { quoteQualified } from '../connect';
import { withLedger, type LedgerIdentity } from '../ledger';

export interface AnalyzeRequest {
  client: Client;
  identity: LedgerIdentity;
  signal: AbortSignal;
  /** Called before each round, e.g. `ANALYZE 40 of 120 tables`. */
  onProgress?: (what: string) => void;
}

interface Relation {
  name: string;
  pages: number;
}

/** A round ends with the table that fills it: so many tables, or so many pages (8 kB each). */
const ROUND_TABLES = 100;
const ROUND_PAGES = 16_384;

/**
 * Gathers planner statistics of all user tables and materialized views, each once: a round of small ones commits with
 * its rows in the ledger. A partition is analyzed with the root of its tree, which needs statistics of its own.
 *
 * @returns how many tables this call analyzed.
 * @throws FlexliftError LedgerForeign, LedgerReleased
 */
export async function analyzeDatabase(request: AnalyzeRequest): Promise<number> {
  const { client, identity, signal, onProgress } = request;
  const relations = await unanalyzed(client);
  let done = 0;
  for (const round of roundsOf(relations)) {
    signal.throwIfAborted();
    onProgress?.(`ANALYZE ${done + 1} to ${done + round.length} of ${relations.length} tables`);
    await withLedger(client, identity, () => analyze(client, round));
    done += round.length;
  }
  return done;
}

async function unanalyzed(client: Client): Promise<Relation[]> {
  const { rows } = await client.query<{ schema: string; name: string; pages: number }>(
    `SELECT n.nspname AS schema, c.relname AS name,
            CASE WHEN c.relkind = 'p' THEN ${ROUND_PAGES}
                 ELSE (pg_catalog.pg_relation_size(c.oid) / 8192)::pg_catalog.float8 END AS pages
       FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'flexlift')
      ORDER BY pages DESC, c.oid`,
  );
  const steps = await client.query<{ key: string }>(`SELECT key FROM flexlift.step WHERE kind = 'analyze'`);
  const analyzed = new Set(steps.rows.map((step) => step.key));
  return rows
    .map((row) => ({ name: quoteQualified(row.schema, row.name), pages: row.pages }))
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
