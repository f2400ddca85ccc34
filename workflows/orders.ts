import { CancellationScope, condition, defineSignal, setHandler } from '@temporalio/workflow';
import {
  ABORT_CUTOVER_UPDATE,
  ACCEPT_DRIFT_UPDATE,
  CUTOVER_UPDATE,
  PAUSE_UPDATE,
  RECOPY_UPDATE,
  RESUME_UPDATE,
  type CutoverRequest,
  type DatabasesRequest,
  type RecopyRequest,
} from '../contract';

/** Whoever asked waits for the answer; see {@link ./order-answers}. */
export interface Answered {
  order: string;
}

export const cutoverSignal = defineSignal<[CutoverRequest]>(CUTOVER_UPDATE);
export const abortCutoverSignal = defineSignal<[DatabasesRequest]>(ABORT_CUTOVER_UPDATE);
export const pauseSignal = defineSignal<[DatabasesRequest & Answered]>(PAUSE_UPDATE);
export const resumeSignal = defineSignal<[DatabasesRequest & Answered]>(RESUME_UPDATE);
export const recopySignal = defineSignal<[RecopyRequest & Answered]>(RECOPY_UPDATE);
export const acceptDriftSignal = defineSignal<[DatabasesRequest & Answered]>(ACCEPT_DRIFT_UPDATE);

/** What a person can ask of a database while it replicates. */
export type Order =
  | { kind: 'cutover'; request: CutoverRequest }
  | { kind: 'pause'; request: Answered }
  | { kind: 'resume'; request: Answered }
  | { kind: 'recopy'; request: RecopyRequest & Answered }
  | { kind: 'acceptDrift'; request: Answered };

/** Takes a database's orders in the order they come; the end of a cutover is taken at once. */
export class Orders {
  private readonly waiting: Order[] = [];
  private abortCutover: () => void = () => undefined;

  constructor() {
    setHandler(cutoverSignal, (request) => void this.waiting.push({ kind: 'cutover', request }));
    setHandler(pauseSignal, (request) => void this.waiting.push({ kind: 'pause', request }));
    setHandler(resumeSignal, (request) => void this.waiting.push({ kind: 'resume', request }));
    setHandler(recopySignal, (request) => void this.waiting.push({ kind: 'recopy', request }));
    setHandler(acceptDriftSignal, (request) => void this.waiting.push({ kind: 'acceptDrift', request }));
    setHandler(abortCutoverSignal, () => this.abortCutover());
  }

  /** A cancellation does not end the wait: it ends what the orders are for. */
  async next(): Promise<Order> {
    await CancellationScope.nonCancellable(() => condition(() => this.waiting.length > 0));
    return this.waiting.shift() as Order;
  }

  /** @param abort called when the cutover is to be called off, while `work` runs */
  async whileAbortable<T>(abort: () => void, work: () => Promise<T>): Promise<T> {
    this.abortCutover = abort;
    try {
      return await work();
    } finally {
      this.abortCutover = () => undefined;
    }
  }
}
