import type { MigrationStatus } from '../../contract';
import { uriOf } from '../support/sessions';
import type { Product } from '../support/product';
import { DATABASE, type Cloner, type CloneRun } from './cloner';

/** The whole product: client, Temporal, a worker in a process of its own. */
export class FlexliftCloner implements Cloner {
  readonly kind = 'ours';
  readonly name: string;

  constructor(
    private readonly product: Product,
    private readonly compare: boolean,
  ) {
    this.name = compare ? 'flexlift' : 'flexlift, compare off';
  }

  async clone({ servers, number, say }: CloneRun): Promise<void> {
    const handle = await this.product.client.create({
      name: `copy-${number}`,
      source: uriOf(servers.source, 'postgres'),
      target: uriOf(servers.target, 'postgres'),
      databases: [DATABASE],
      compare: this.compare,
    });
    const status = await handle.result();
    say(`    ${phaseSeconds(status)}`);
    const { state, failure, databases } = status;
    if (state === 'Succeeded' || state === 'SucceededUnverified') return;
    const cause = failure ?? databases.find((database) => database.failure !== undefined)?.failure;
    throw new Error(`${state}: ${cause?.sentence ?? 'nothing says why'}`);
  }
}

/** Those of the one database, and what comes before it. */
function phaseSeconds({ startedAt, databases }: MigrationStatus): string {
  return databases
    .flatMap((database) => [
      ['before', (Date.parse(database.startedAt ?? startedAt) - Date.parse(startedAt)) / 1_000] as const,
      ...Object.entries(database.seconds),
    ])
    .map(([phase, seconds]) => `${phase} ${seconds.toFixed(1)}`)
    .join(', ');
}
