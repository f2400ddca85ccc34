import type { Client } from 'pg';
import type { Difference } from '../../../contract';
import type { Catalog } from '../../compare';
import { catalogMark } from './catalog-mark';
import { driftSince, type DriftOptions } from './drift-since';

/** Looks at the source's schema again and again, and reads its catalog only where something wrote to it. */
export class DriftWatch {
  private mark?: string;
  private found: Difference[] = [];

  constructor(
    private readonly dumped: Catalog,
    private readonly options: DriftOptions = {},
  ) {}

  /** @param source outside of a transaction; any session of the same database, now this one, now that */
  async look(source: Client): Promise<Difference[]> {
    // first the mark: what is written after it is seen by the next look
    const mark = await catalogMark(source);
    if (mark !== this.mark) {
      this.found = await driftSince({ source, dumped: this.dumped, ...this.options });
      this.mark = mark;
    }
    return this.found;
  }
}
