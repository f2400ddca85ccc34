import { foreignFences, readFence } from '../../fence';
import { readLedger } from '../../ledger';
import { enumerate, failed, type DatabaseContext, type Rule } from '../rule';

/** What a fence has set and revoked would be taken for the database's own, and given to the target. */
export const sourceFence: Rule<DatabaseContext> = {
  id: 'source-fence',
  holds: 'No fence of another migration stands on the source.',
  async check(context) {
    const { request, sourceClient, database } = context;
    const fences = await foreignFences(sourceClient, request.migrationId);
    if (fences.length > 0) {
      return [
        failed(
          `An earlier online migration has fenced this database: ${enumerate(fences)}.`,
          `Lift that fence first: flexlift unfence NAME with the name of that migration, or flexlift cleanup --source URI --database ${JSON.stringify(database)}.`,
        ),
      ];
    }
    const own = await readFence(sourceClient, request.migrationId);
    if (own === undefined || (await liftsItself(context))) return [];
    return [
      failed(
        `An earlier run of this migration has fenced this database, at ${own.raisedAt}.`,
        `Lift that fence first: flexlift unfence ${JSON.stringify(request.name)}.`,
      ),
    ];
  },
};

/** A later run lifts it where the target's ledger still tells of the cutover, and of the properties from before it. */
async function liftsItself({ request, targetClient }: DatabaseContext): Promise<boolean> {
  if (request.mode !== 'Online' || request.overwrite || targetClient === undefined) return false;
  const ledger = await readLedger(targetClient);
  return ledger?.migration_id === request.migrationId;
}
