import type { Bed } from './bed';
import { poll, withSession } from '../support/sessions';
import { DATABASE } from './bed';

export async function createSlot(bed: Bed, slot: string, plugin: string): Promise<void> {
  await withSession(bed.servers.source, DATABASE, (client) =>
    client.query('SELECT pg_create_logical_replication_slot($1, $2)', [slot, plugin]),
  );
}

/** So each run starts from the same position, and the backlog is written once. */
export async function copySlot(bed: Bed, from: string, to: string): Promise<void> {
  await withSession(bed.servers.source, DATABASE, (client) =>
    client.query('SELECT pg_copy_logical_replication_slot($1, $2)', [from, to]),
  );
}

/** Waits until nobody reads it any more. */
export async function dropSlot(bed: Bed, slot: string): Promise<void> {
  await withSession(bed.servers.source, DATABASE, (client) =>
    poll(20, bed.signal, async () => {
      await client.query(
        `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active`,
        [slot],
      );
      const { rowCount } = await client.query('SELECT FROM pg_replication_slots WHERE slot_name = $1', [
        slot,
      ]);
      return rowCount === 0 ? true : undefined;
    }),
  );
}
