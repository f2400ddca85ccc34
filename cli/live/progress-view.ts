import { MultiBar, type SingleBar } from 'cli-progress';
import { hasEnded, type DatabaseProgress, type MigrationSnapshot } from '../../client';
import type { Output } from '../output';
import { databaseText, progressLines, trouble } from './progress-lines';

/** Shows a migration while it runs. */
export interface ProgressView {
  show(snapshot: MigrationSnapshot, figures: DatabaseProgress[]): void;
  /** Leaves the terminal as it was found. */
  close(): void;
}

export function progressView(output: Output): ProgressView {
  if (output.quiet) return { show: () => undefined, close: () => undefined };
  return output.live ? new LiveView(output) : new PlainView(output);
}

/** A block at the foot of the terminal, redrawn with every snapshot. */
class LiveView implements ProgressView {
  private readonly lines: SingleBar[] = [];
  private readonly block = new MultiBar({
    stream: process.stderr,
    format: (_options, _params, payload: { line: string }) => payload.line,
    clearOnComplete: true,
    hideCursor: true,
    linewrap: false,
    gracefulExit: false,
    fps: 10,
    emptyOnZero: true,
  });

  constructor(private readonly output: Output) {}

  show(snapshot: MigrationSnapshot, figures: DatabaseProgress[]): void {
    const databases = Math.max(1, (process.stderr.rows || 24) - 8);
    const texts = progressLines(snapshot, figures, { colors: this.output.messageColors, databases });
    while (this.lines.length > texts.length) this.block.remove(this.lines.pop() as SingleBar);
    texts.forEach((line, index) => {
      const known = this.lines[index];
      if (known === undefined) this.lines.push(this.block.create(1, 0, { line }));
      else known.update(0, { line });
    });
  }

  close(): void {
    this.block.stop();
  }
}

/** How often the figures are repeated where nothing else changes. Milliseconds. */
const REPEAT = 10_000;
/** Changes may be applied for days. Milliseconds. */
const REPEAT_REPLICATION = 60_000;

/** Lines for a log: every change of a phase that is seen, every new trouble, and the figures now and then. */
export class PlainView implements ProgressView {
  private readonly told = new Map<string, { phase: string; at: number }>();
  private readonly troubles: TroubleTeller;

  constructor(private readonly output: Pick<Output, 'say'>) {
    this.troubles = new TroubleTeller(output);
  }

  show(snapshot: MigrationSnapshot, figures: DatabaseProgress[]): void {
    const at = Date.parse(snapshot.takenAt);
    for (const progress of figures) {
      const { database, state, phase, replication } = progress;
      const isReplicated = phase === 'Replicate' && replication !== undefined;
      const now = `${state} ${phase} ${isReplicated ? replication.state : ''}`;
      const before = this.told.get(database);
      const moves = !hasEnded(progress) && phase !== 'Queued';
      const repeat = isReplicated ? REPEAT_REPLICATION : REPEAT;
      if (before?.phase === now && !(moves && at - before.at >= repeat)) continue;
      this.told.set(database, { phase: now, at });
      this.output.say(databaseText(progress, at));
    }
    this.troubles.tell(trouble(snapshot));
  }

  close(): void {
    this.told.clear();
  }
}

/** Lines for a log: each trouble once, and again when it comes back. */
export class TroubleTeller {
  private known = new Set<string>();

  constructor(private readonly output: Pick<Output, 'say'>) {}

  tell(lines: string[]): void {
    const now = new Map(lines.map((line) => [withoutAttempt(line), line]));
    for (const [trouble, line] of now) if (!this.known.has(trouble)) this.output.say(line);
    this.known = new Set(now.keys());
  }
}

/** The same trouble with another attempt and pause is no news. */
function withoutAttempt(line: string): string {
  return line.replace(/, attempt \d+(?:, next try in [^()]*)?\)$/, ')');
}
