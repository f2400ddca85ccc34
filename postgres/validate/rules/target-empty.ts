import type { Client } from 'pg';
import { someUserObject } from '../../catalog';
import { migrationPrefix } from '../../connect';
import { findDatabase } from '../../database';
import { readLedger, type LedgerRow } from '../../ledger';
import { failed, succeeded, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';

/** The same decisions as those of createTargetDatabase, said before anything happens. */
export const targetEmpty: Rule<DatabaseContext> = {
  id: 'target-empty',
  holds: 'The target database does not exist yet.',
  async check(context) {
    const { targetClient } = context;
    if (targetClient === undefined) return await leftByDrop(context);
    const ledger = await readLedger(targetClient);
    if (ledger?.migration_id === context.request.migrationId) return [ownLedger(context, ledger)];
    if (ledger?.state === 'open') return [await otherMigration(context, targetClient, ledger)];
    const object = await someUserObject(targetClient);
    if (object === undefined)
      return [succeeded('The target database exists and is empty: it is used as it is.')];
    return [notEmpty(context, `holds, among others, ${object}`)];
  },
};

async function leftByDrop(context: DatabaseContext): Promise<Verdict[]> {
  const existing = await findDatabase(context.target.client, context.database);
  if (existing?.invalid !== true) return [];
  return [notEmpty(context, 'was left unusable by an interrupted DROP DATABASE')];
}

function ownLedger({ request }: DatabaseContext, ledger: LedgerRow): Verdict {
  if (ledger.state === 'released') {
    return failed(
      'The target database was released by this very migration and is live.',
      'Start a new migration, with --overwrite if the target is to be replaced.',
    );
  }
  if (ledger.generation > request.generation) {
    return failed(
      `This migration is in its run ${ledger.generation} already; this is run ${request.generation}.`,
      'Watch that run instead.',
    );
  }
  return succeeded('The target database was begun by this migration, which goes on there.');
}

async function otherMigration(context: DatabaseContext, client: Client, ledger: LedgerRow): Promise<Verdict> {
  const name = `migration ${ledger.migration_id}`;
  const { rows } = await client.query<{ sessions: number }>(
    `SELECT pg_catalog.count(*)::integer AS sessions FROM pg_catalog.pg_stat_activity
      WHERE pg_catalog.starts_with(application_name, $1)`,
    [migrationPrefix(ledger.migration_id)],
  );
  if ((rows[0]?.sessions ?? 0) > 0) {
    return failed(
      `Another migration runs into the target database: ${name}.`,
      'Cancel that migration, or wait for its end.',
    );
  }
  return notEmpty(context, `belongs to ${name}, which is not finished`);
}

function notEmpty({ request, database }: DatabaseContext, why: string): Verdict {
  if (database === request.target.maintenanceDatabase) {
    return failed(
      `The target's maintenance database ${why}; it cannot be dropped and made anew.`,
      'Name another maintenance database of the target, or empty this one.',
    );
  }
  if (request.overwrite) {
    return warning(
      `The target database ${why}; it is dropped and replaced, as asked by --overwrite.`,
      'Cancel now if its contents are needed.',
    );
  }
  return failed(
    `The target database exists and ${why}.`,
    'Drop it, choose another target, or start the migration with --overwrite to replace it.',
  );
}
