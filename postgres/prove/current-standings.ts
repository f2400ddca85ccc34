import type { Client } from 'pg';
import { definitionMarks } from './definition-marks';
import { tableStandings, type TableStanding } from './table-standings';

/**
 * How tables stand, where a proof of one whose definition was touched since is none.
 *
 * @param tableOids default: all, the largest first
 */
export async function currentStandings(
  source: Client,
  target: Client,
  tableOids?: number[],
): Promise<TableStanding[]> {
  // at the same time: the application may be waiting
  const [marks, standings] = await Promise.all([
    definitionMarks(source, tableOids),
    tableStandings(target, tableOids),
  ]);
  return standings.map((table) =>
    table.proof?.mark === marks.get(table.oid) ? table : { ...table, proof: undefined },
  );
}
