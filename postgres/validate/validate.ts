import { DatabaseError, type Client } from 'pg';
import { FlexliftError, type Concurrency, type Finding, type MigrationRequest } from '../../contract';
import { closedDatabases, databaseProperties, listUserDatabases } from '../catalog';
import { mapPostgresError, withConnection, type Endpoint } from '../connect';
import { findDatabase } from '../database';
import { boundFindings } from './bound-findings';
import { chooseConcurrency } from './concurrency';
import { liveDatabases } from './live-databases';
import { forbidWrites, withServer } from './reach';
import {
  failed,
  succeeded,
  type DatabaseContext,
  type FindPgDump,
  type Rule,
  type ServerContext,
} from './rule';
import { DATABASE_RULES, SERVER_RULES } from './rules';
import { MOST_DATABASES } from './rules/databases-exist';
import { serverSize } from './server-size';

export interface ValidateArguments {
  request: MigrationRequest;
  source: Endpoint;
  target: Endpoint;
  findPgDump: FindPgDump;
  signal: AbortSignal;
}

export interface Validation {
  findings: Finding[];
  /** The databases to migrate that the source has, without those that an earlier run has released. */
  databases: string[];
  /** These are absent where a server could not be reached. */
  concurrency?: Concurrency;
  sourceMajor?: number;
  targetMajor?: number;
}

/**
 * Checks every rule, changes nothing, and returns all that was found: a rule that holds is a finding too. Errors that
 * a person has to mend are findings; only what passes by itself is thrown once both servers had been reached.
 */
export async function validate(args: ValidateArguments): Promise<Validation> {
  const { request, source, target, signal } = args;
  const [sourceFinding, targetFinding] = await Promise.all([reach(args, source), reach(args, target)]);
  const reached = [sourceFinding, targetFinding];
  if (reached.some((finding) => finding.state === 'Failed')) {
    return { findings: reached, databases: request.databases ?? [] };
  }
  return await withServer(source, request.timeouts, signal, (sourceSide) =>
    withServer(target, request.timeouts, signal, async (targetSide) => {
      const { databases: wanted, missing, closed } = await resolveDatabases(args, sourceSide.client);
      const live = await liveDatabases(args, wanted);
      const databases = wanted.filter((name) => !live.has(name));
      const { findPgDump } = args;
      const sizes = { source: await serverSize(sourceSide), target: await serverSize(targetSide) };
      const concurrency = chooseConcurrency(request, databases.length, sizes);
      const context = {
        request: { ...request, limits: { ...request.limits, ...concurrency } },
        source: sourceSide,
        target: targetSide,
        databases,
        missing,
        closed,
        released: [...live],
        sizes,
        findPgDump,
      };
      const findings = [...reached, ...(await checkAll(SERVER_RULES, context)), ...[...live].map(leftAlone)];
      for (const database of databases.slice(0, MOST_DATABASES[request.mode]))
        findings.push(...(await checkDatabase(args, context, database)));
      return {
        findings: boundFindings(findings),
        databases,
        concurrency,
        sourceMajor: sourceSide.version.major,
        targetMajor: targetSide.version.major,
      };
    }),
  );
}

function leftAlone(database: string): Finding {
  const text = 'An earlier run of this migration has released the target database: it is left alone.';
  return { rule: 'target-empty', ...succeeded(text), database };
}

async function reach({ request, signal }: ValidateArguments, endpoint: Endpoint): Promise<Finding> {
  const rule = `${endpoint.side}-reachable`;
  try {
    const text = await withServer(endpoint, request.timeouts, signal, ({ version }) =>
      Promise.resolve(version.text),
    );
    return { rule, ...succeeded(`The ${endpoint.side} answers: PostgreSQL ${text}.`) };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FlexliftError)) throw error;
    const { sentence, remedy, server } = error.fields;
    return { rule, ...failed(`The ${endpoint.side} ${server ?? ''} cannot be used: ${sentence}`, remedy) };
  }
}

async function resolveDatabases(
  { request, source, signal }: ValidateArguments,
  sourceClient: Client,
): Promise<Pick<ServerContext, 'databases' | 'missing' | 'closed'>> {
  if (request.databases === undefined) {
    const databases = await listUserDatabases(source, signal);
    return { databases, missing: [], closed: await closedDatabases(sourceClient) };
  }
  const wanted = [...new Set(request.databases)];
  const found = await withConnection(source, source.address.maintenanceDatabase, signal, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_catalog.pg_database WHERE datname = ANY ($1) AND datallowconn',
      [wanted],
    );
    return new Set(rows.map((row) => row.datname));
  });
  return {
    databases: wanted.filter((name) => found.has(name)),
    missing: wanted.filter((name) => !found.has(name)),
    closed: [],
  };
}

/** One session in the source's database and, where it exists, one in the target's. */
async function checkDatabase(
  args: ValidateArguments,
  { request, source, target }: ServerContext,
  database: string,
): Promise<Finding[]> {
  const { signal } = args;
  const check = async (context: DatabaseContext) =>
    (await checkAll(DATABASE_RULES, context)).map((finding) => ({ ...finding, database }));
  return await orFinding('source-rights', database, () =>
    withConnection(args.source, database, signal, async (sourceClient) => {
      await forbidWrites(sourceClient);
      const properties = await databaseProperties(sourceClient);
      const context = { request, database, source, target, sourceClient, properties };
      const existing = await findDatabase(target.client, database);
      if (existing === undefined || existing.invalid) return await check(context);
      return await orFinding('target-rights', database, () =>
        withConnection(args.target, database, signal, async (targetClient) => {
          await forbidWrites(targetClient);
          return await check({ ...context, targetClient });
        }),
      );
    }),
  );
}

async function checkAll<Context extends { request: MigrationRequest }>(
  rules: Rule<Context>[],
  context: Context,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const rule of rules) {
    if (rule.mode !== undefined && rule.mode !== context.request.mode) continue;
    const found = await orFinding(rule.id, undefined, async () =>
      (await rule.check(context)).map((verdict) => ({ rule: rule.id, ...verdict })),
    );
    findings.push(...(found.length > 0 ? found : [{ rule: rule.id, ...succeeded(rule.holds) }]));
  }
  return findings;
}

/** A failure that a person has to mend is a finding of the rule that met it. */
async function orFinding(
  rule: string,
  database: string | undefined,
  work: () => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    const failure = error instanceof DatabaseError ? mapPostgresError(error, {}) : error;
    if (!(failure instanceof FlexliftError) || failure.failureClass === 'transient') throw error;
    const { sentence, remedy, side, server } = failure.fields;
    const where = side === undefined ? '' : ` on the ${side} ${server ?? ''}`;
    const finding = { rule, ...failed(`This could not be checked${where}: ${sentence}`, remedy) };
    return [database === undefined ? finding : { ...finding, database }];
  }
}
