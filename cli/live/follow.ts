import {
  ProgressMeter,
  type MigrationHandle,
  type MigrationSnapshot,
  type MigrationStatus,
} from '../../client';
import type { Output } from '../output';
import { progressView } from './progress-view';

export interface FollowOptions {
  output: Output;
  /** Ends the following, not the migration. */
  signal: AbortSignal;
  /** Milliseconds between two snapshots. Default 1 s. */
  interval?: number;
  onSnapshot?: (snapshot: MigrationSnapshot) => void;
}

/** Shows a migration until it ends; gives how it ended, or `undefined` where `signal` came first. */
export async function follow(
  handle: MigrationHandle,
  { output, signal, interval, onSnapshot }: FollowOptions,
): Promise<MigrationStatus | undefined> {
  const view = progressView(output);
  const meter = new ProgressMeter();
  try {
    for await (const snapshot of handle.watch({ signal, interval })) {
      view.show(snapshot, meter.measure(snapshot));
      onSnapshot?.(snapshot);
      if (!snapshot.running) return snapshot.status;
    }
    return undefined;
  } finally {
    view.close();
  }
}
