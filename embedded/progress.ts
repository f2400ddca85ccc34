/** What a step that takes more than a moment says of itself. */
export interface EmbeddedProgress {
  /** What is being done, for a person, e.g. `Building Temporal with Go`. */
  what: string;
  /** Since this step began. */
  elapsedSeconds: number;
  /** The last line the step printed. */
  detail?: string;
}

export type OnEmbeddedProgress = (progress: EmbeddedProgress) => void;

/** A function that reports `what` with the time since this call, at once and then at most once a second. */
export function startProgress(what: string, onProgress?: OnEmbeddedProgress): (detail?: string) => void {
  const startedAt = Date.now();
  let next = startedAt;
  return (detail) => {
    if (Date.now() < next) return;
    next = Date.now() + 1_000;
    onProgress?.({ what, elapsedSeconds: (Date.now() - startedAt) / 1000, detail });
  };
}
