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
  /** Ends the following before the migration has ended. */
  until?: (snapshot: MigrationSnapshot) => boolean;
}

/** Shows a migration until it ends, or `until`; gives how it stands then, or `undefined` where `signal` came first. */
export async function follow(
  handle: MigrationHandle,
  { output, signal, interval, onSnapshot, until }: FollowOptions,
): Promise<MigrationStatus | undefined> {
  const view = progressView(output);
  const meter = new ProgressMeter();
  try {
    for await (const snapshot of handle.watch({ signal, interval })) {
      view.show(snapshot, meter.measure(snapshot));
      onSnapshot?.(snapshot);
      if (!snapshot.running || until?.(snapshot) === true) return snapshot.status;
    }
    return undefined;
  } finally {
    view.close();
  }
}
