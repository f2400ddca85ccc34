import type { CutoverReport } from '../../contract';
import type { MigrationHandle } from '../../client';
import { untilReady, type Product } from '../support/product';
import { uriOf } from '../support/sessions';
import type { CutoverFigures, Following, Move, Mover } from './mover';
import { DATABASE } from './schema';

/** The whole product, with its defaults. */
export class FlexliftMover implements Mover {
  readonly name: string;

  constructor(
    private readonly product: Product,
    private readonly compare: boolean,
  ) {
    this.name = compare ? 'flexlift' : 'flexlift, compare off';
  }

  async follow({ servers, number, patience, signal }: Move): Promise<Following> {
    const handle = await this.product.client.create({
      name: `outage-${number}`,
      mode: 'Online',
      source: uriOf(servers.source, 'postgres'),
      target: uriOf(servers.target, 'postgres'),
      databases: [DATABASE],
      compare: this.compare,
    });
    try {
      await untilReady(handle, AbortSignal.any([signal, AbortSignal.timeout(patience)]));
    } catch (error) {
      await cancel(handle);
      throw error;
    }
    return {
      cutOver: () => cutOver(handle, signal),
      finish: () => cancel(handle),
    };
  }
}

async function cutOver(handle: MigrationHandle, signal: AbortSignal): Promise<CutoverFigures> {
  const accepted = await handle.cutover();
  const { databases } = await accepted.result({ signal });
  const report = databases[0]?.cutover;
  if (report?.state !== 'Released') {
    throw new Error(`the cutover was called off: ${report?.failure?.sentence ?? 'nothing says why'}`);
  }
  return figuresOf(report);
}

function figuresOf({ seconds, fencedSeconds }: CutoverReport): CutoverFigures {
  const { Prove, PrepareCutover, ...steps } = seconds;
  const before = Object.entries({ Prove, PrepareCutover }).flatMap(([step, took]) =>
    took === undefined ? [] : [[step, took] as const],
  );
  return { before: Object.fromEntries(before), steps, fenced: fencedSeconds };
}

/** Harmless after its end. */
async function cancel(handle: MigrationHandle): Promise<void> {
  await handle.cancel();
  await handle.result();
}
