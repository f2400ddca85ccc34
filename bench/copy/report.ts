import Table from 'cli-table3';
import { median } from '../support/statistics';
import type { Cloner } from './cloner';
import type { CloneFigures, CopyResult } from './copy-case';

const STYLE = { style: { head: [], border: [] } };
const MEGABYTE = 1024 ** 2;
/** Of the time without compare that compare may take on top. */
const COMPARE_SHARE = 0.6;

export interface Ratios {
  /** The fastest peer. */
  peer?: string;
  /** Median of ours, compare off, to the median of the fastest peer. */
  toPeer?: number;
  toFloor?: number;
  /** Median with compare to the median without. */
  withCompare?: number;
}

export function ratiosOf({ runs }: CopyResult, cloners: Cloner[]): Ratios {
  const medianOf = (name?: string) => median(secondsOf(runs, name));
  const named = (kind: Cloner['kind']) =>
    cloners.filter((cloner) => cloner.kind === kind && secondsOf(runs, cloner.name).length > 0);
  const peer = named('peer').toSorted((a, b) => medianOf(a.name) - medianOf(b.name))[0]?.name;
  const ours = medianOf('flexlift, compare off');
  const ratio = (value: number) => (Number.isFinite(value) ? value : undefined);
  return {
    peer,
    toPeer: ratio(ours / medianOf(peer)),
    toFloor: ratio(ours / medianOf(named('floor')[0]?.name)),
    withCompare: ratio(medianOf('flexlift') / ours),
  };
}

export function copyTable(results: CopyResult[], cloners: Cloner[]): string {
  const table = new Table({
    head: [
      'database',
      'cloner',
      'seconds',
      'min – max',
      'of the fastest peer',
      'servers CPU s',
      'worker CPU s',
      'peak MB',
    ],
    ...STYLE,
  });
  for (const result of results) {
    const ratios = ratiosOf(result, cloners);
    const best = median(secondsOf(result.runs, ratios.peer));
    for (const { name } of cloners) {
      const runs = result.runs.filter(({ cloner }) => cloner === name);
      const title = `${result.case.name} (${Math.round(result.bytes / MEGABYTE)} MB)`;
      const failure = result.failures[name];
      if (failure !== undefined)
        table.push([title, name, { colSpan: 6, content: failure, wrapOnWordBoundary: true }]);
      if (runs.length === 0) continue;
      const seconds = secondsOf(runs, name);
      table.push([
        title,
        name,
        median(seconds).toFixed(1),
        `${Math.min(...seconds).toFixed(1)} – ${Math.max(...seconds).toFixed(1)}`,
        figure(median(seconds) / best, 2),
        figure(median(runs.map(({ serverCpu }) => serverCpu)), 1),
        figure(median(runs.flatMap(({ workerCpu }) => workerCpu ?? [])), 1),
        figure(Math.max(...runs.flatMap(({ workerPeakBytes }) => workerPeakBytes ?? [])) / MEGABYTE, 0),
      ]);
    }
  }
  return table.toString();
}

/** One line for each target. */
export function verdicts(results: CopyResult[], cloners: Cloner[]): string[] {
  return [...targetVerdicts(results, cloners), ...curveVerdicts(results)];
}

/** Of each size, how it compares with the least one. */
function curveVerdicts(results: CopyResult[]): string[] {
  const sizes = results
    .filter((result) => result.case.curve === true && result.runs.length > 0)
    .map(({ case: { name }, bytes, runs }) => ({
      ...{ name, bytes },
      seconds: median(secondsOf(runs, 'flexlift, compare off')),
      peak: Math.max(...runs.flatMap(({ workerPeakBytes }) => workerPeakBytes ?? [])),
    }));
  const [least, ...others] = sizes;
  if (least === undefined) return [];
  return others.map(({ name, bytes, seconds, peak }) => {
    const [data, time] = [bytes / least.bytes, seconds / least.seconds];
    const verdict = time <= data ? 'met' : 'MISSED';
    return (
      `${name}: ${data.toFixed(1)} × the data of ${least.name} in ${time.toFixed(1)} × the time (no more: ${verdict}), ` +
      `peak ${Math.round(peak / MEGABYTE)} MB after ${Math.round(least.peak / MEGABYTE)} MB`
    );
  });
}

function targetVerdicts(results: CopyResult[], cloners: Cloner[]): string[] {
  return results.flatMap((result) => {
    const { case: copyCase, runs } = result;
    const { peer, toPeer, toFloor, withCompare } = ratiosOf(result, cloners);
    const lines: string[] = [];
    if (toPeer !== undefined)
      lines.push(`${toPeer.toFixed(2)} × ${peer}${judged(toPeer, copyCase.targetRatio)}`);
    if (toFloor !== undefined)
      lines.push(`${toFloor.toFixed(2)} × the floor${judged(toFloor, copyCase.floorRatio)}`);
    if (withCompare !== undefined) {
      lines.push(
        `compare ${(withCompare - 1).toFixed(2)} × the clone${judged(withCompare - 1, COMPARE_SHARE)}`,
      );
    }
    const peak = Math.max(...runs.flatMap(({ workerPeakBytes }) => workerPeakBytes ?? []));
    if (copyCase.targetPeakBytes !== undefined && Number.isFinite(peak)) {
      lines.push(`peak ${Math.round(peak / MEGABYTE)} MB${judged(peak, copyCase.targetPeakBytes, MEGABYTE)}`);
    }
    return lines.map((line) => `${copyCase.name}: ${line}`);
  });
}

function judged(value: number, target: number | undefined, unit = 1): string {
  if (target === undefined || !Number.isFinite(target)) return '';
  return value <= target ? ` (at most ${target / unit}: met)` : ` (at most ${target / unit}: MISSED)`;
}

function secondsOf(runs: CloneFigures[], name?: string): number[] {
  return runs.filter(({ cloner }) => cloner === name).map(({ seconds }) => seconds);
}

function figure(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '';
}
