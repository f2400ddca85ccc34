import { COPIED, DATABASE, type Bed } from './bed';
import { conninfoOf, withSession } from '../support/sessions';
import type { Engine, EngineRun } from './engine';
import { copySlot, createSlot, dropSlot } from './slots';

const NAME = 'bench_native';
const ORIGIN = 'bench_native_origin';

/** PostgreSQL's own subscription, with its defaults: one apply worker, `synchronous_commit` off, nothing streamed. */
export class NativeEngine implements Engine {
  readonly name = 'subscription';

  async prepare(bed: Bed): Promise<void> {
    await withSession(bed.servers.source, DATABASE, (client) =>
      client.query(`CREATE PUBLICATION ${NAME} FOR ALL TABLES`),
    );
    await createSlot(bed, ORIGIN, 'pgoutput');
  }

  async ready(bed: Bed): Promise<EngineRun> {
    await bed.freshTarget(COPIED);
    await copySlot(bed, ORIGIN, NAME);
    await this.onTarget(
      bed,
      `CREATE SUBSCRIPTION ${NAME} CONNECTION '${conninfoOf(bed.servers.source, DATABASE)}' PUBLICATION ${NAME}
         WITH (enabled = false, create_slot = false, copy_data = false, slot_name = '${NAME}')`,
    );
    return {
      go: () => this.onTarget(bed, `ALTER SUBSCRIPTION ${NAME} ENABLE`),
      failure: new Promise(() => undefined),
      finish: async () => {
        await this.onTarget(bed, `ALTER SUBSCRIPTION ${NAME} DISABLE`);
        await this.onTarget(bed, `ALTER SUBSCRIPTION ${NAME} SET (slot_name = NONE)`);
        await this.onTarget(bed, `DROP SUBSCRIPTION ${NAME}`);
        await dropSlot(bed, NAME);
        return {};
      },
    };
  }

  private async onTarget(bed: Bed, sql: string): Promise<void> {
    await withSession(bed.servers.target, DATABASE, (client) => client.query(sql));
  }
}
