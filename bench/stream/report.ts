import Table from 'cli-table3';
import { median } from '../support/statistics';
import type { BacklogResult } from './backlog-case';
import type { SteadyResult } from './steady-load';

const MEGABYTE = 1024 ** 2;
/** What the others are measured by. */
const STANDARD = 'subscription';
const OURS = 'flexlift';

/** A line per case and engine: medians over the rounds, and their ratio to the subscription's. */
export function backlogTable(results: BacklogResult[]): string {
  const table = new Table({
    head: ['backlog', 'engine', 'seconds', 'min – max', 'ratio', 'target', 'CPU s', 'peak MB'],
    style: { head: [], border: [] },
  });
  for (const result of results) {
    for (const engine of new Set(result.runs.map((run) => run.engine))) table.push(row(result, engine));
    for (const [engine, message] of Object.entries(result.failures)) {
      table.push([result.title, engine, `failed: ${message}`, '', '', '', '', '']);
    }
  }
  return table.toString();
}

function row(result: BacklogResult, engine: string): string[] {
  const { title, runs, backlogBytes, targetRatio, targetPeakBytes } = result;
  const own = runs.filter((run) => run.engine === engine);
  const seconds = own.map((run) => run.seconds);
  const ratio = ratioOf(result, engine);
  const cpu = median(own.flatMap((run) => run.cpuSeconds ?? []));
  const peak = Math.max(...own.map((run) => run.peakBytes ?? NaN)) / MEGABYTE;
  const targets = [
    targetRatio === undefined ? [] : [`≤ ${targetRatio}: ${verdict(ratio, targetRatio)}`],
    targetPeakBytes === undefined
      ? []
      : [`≤ ${targetPeakBytes / MEGABYTE} MB: ${verdict(peak, targetPeakBytes / MEGABYTE)}`],
  ].flat();
  return [
    `${title} (${Math.round(backlogBytes / MEGABYTE)} MB of WAL)`,
    engine,
    median(seconds).toFixed(2),
    `${Math.min(...seconds).toFixed(2)} – ${Math.max(...seconds).toFixed(2)}`,
    figure(ratio, 2),
    engine === OURS ? targets.join(', ') : '',
    figure(cpu, 1),
    figure(peak, 0),
  ];
}

/** Of each round, so that what else the machine did meanwhile met both; NaN without the subscription's. */
export function ratioOf({ runs }: BacklogResult, engine: string): number {
  const secondsOf = (name: string, round: number) =>
    runs.find((run) => run.engine === name && run.round === round)?.seconds ?? NaN;
  const rounds = [...new Set(runs.map(({ round }) => round))];
  const ratios = rounds.map((round) => secondsOf(engine, round) / secondsOf(STANDARD, round));
  return median(ratios.filter((ratio) => !Number.isNaN(ratio)));
}

export function steadyTable(results: SteadyResult[]): string {
  const table = new Table({
    head: ['transactions/s', 'engine', 'written/s', 'p50 ms', 'p99 ms', 'max ms', 'seen', 'target'],
    style: { head: [], border: [] },
  });
  for (const { rate, engine, written, seconds, delays, targetP99 } of results) {
    const target = engine === OURS && targetP99 !== undefined;
    table.push([
      String(rate),
      engine,
      (written / seconds).toFixed(0),
      figure(delays.p50, 1),
      figure(delays.p99, 1),
      figure(delays.max, 1),
      `${delays.seen} of ${written}`,
      target ? `p99 ≤ ${targetP99} ms: ${verdict(delays.p99, targetP99)}` : '',
    ]);
  }
  return table.toString();
}

function verdict(value: number, bound: number): string {
  return value <= bound ? 'met' : 'MISSED';
}

function figure(value: number, digits: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(digits);
}
