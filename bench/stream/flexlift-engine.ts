import { randomBytes } from 'node:crypto';
import { createLedger, noteLoadEnd, type LedgerIdentity } from '../../postgres/ledger';
import { planOnlineLoad, storePlan } from '../../postgres/copy';
import { classifyTables, prepareSource } from '../../postgres/replicate/source';
import { endpointOf, withSession } from '../support/sessions';
import { ApplierChild } from './applier-child';
import { COPIED, DATABASE, type Bed } from './bed';
import type { Engine, EngineRun } from './engine';
import { copySlot, dropSlot } from './slots';

const TEMPLATE = 'bench_with_ledger';
const ORIGIN = 'bench_flexlift_origin';
const LIMITS = { copiesAtOnce: 4, partBytes: 1024 ** 3, groupBytes: 256 * 1024 ** 2, groupTables: 100 };

/** Our applier in a process of its own; publications, slot and ledger as a migration's load leaves them. */
export class FlexliftEngine implements Engine {
  readonly name = 'flexlift';
  private readonly identity: LedgerIdentity = { migrationId: randomBytes(6).toString('hex'), generation: 1 };
  private slot = '';
  private child: ApplierChild | undefined;

  /** @param profileDirectory where the process leaves a CPU profile */
  constructor(private readonly profileDirectory?: string) {}

  async prepare(bed: Bed): Promise<void> {
    const { source, target } = bed.servers;
    const { identity } = this;
    await bed.freshTarget(COPIED);
    await withSession(target, DATABASE, (client) =>
      createLedger(client, identity, { databaseCreated: true }),
    );
    const prepared = await prepareSource({
      source: endpointOf(source, 'source', 'flexlift-bench'),
      target: endpointOf(target, 'target', 'flexlift-bench'),
      database: DATABASE,
      identity,
      migrationId: identity.migrationId,
      keylessTables: 'append',
      lockTimeout: 10_000,
      signal: bed.signal,
      onProgress: () => undefined,
    });
    this.slot = prepared.slot;
    await this.planAsCopied(bed, prepared.lsn);
    await bed.keepTarget(TEMPLATE);
    await copySlot(bed, prepared.slot, ORIGIN);
    await dropSlot(bed, prepared.slot);
  }

  async ready(bed: Bed): Promise<EngineRun> {
    await bed.freshTarget(TEMPLATE);
    await copySlot(bed, ORIGIN, this.slot);
    const { source, target } = bed.servers;
    const child = (this.child ??= await ApplierChild.start(
      { source: source.port, target: target.port, database: DATABASE, identity: this.identity },
      this.profileDirectory,
    ));
    return {
      go: () => child.go(),
      failure: child.failure,
      finish: async () => {
        const figures = await child.stop();
        await dropSlot(bed, this.slot);
        return figures;
      },
    };
  }

  async close(): Promise<void> {
    await this.child?.end();
    this.child = undefined;
  }

  /** The target has what the source had when the slot was made: nothing was written between. */
  private async planAsCopied(bed: Bed, lsn: string): Promise<void> {
    const plan = await withSession(bed.servers.source, DATABASE, async (client) => {
      const identities = await classifyTables(client, { keylessTables: 'append' });
      return await planOnlineLoad({ source: client, limits: LIMITS, identities });
    });
    await withSession(bed.servers.target, DATABASE, async (client) => {
      await storePlan({ target: client, identity: this.identity, plan });
      await client.query('UPDATE flexlift.table_load SET copy_lsn = $1', [lsn]);
      await noteLoadEnd(client, this.identity);
      await client.query('UPDATE flexlift.part SET copies = 1, copied_at = now()');
      await noteLoadEnd(client, this.identity);
    });
  }
}
