import Table from 'cli-table3';
import { median } from '../support/statistics';
import type { OutageResult, OutageRun } from './outage-case';

const STYLE = { style: { head: [], border: [] } };

/** A line per size and mover: medians over the rounds. */
export function outageTable(results: OutageResult[]): string {
  const table = new Table({
    head: [
      'data',
      'mover',
      'outage s',
      'min – max',
      'fenced s',
      'following after s',
      'written/s',
      'longest pause before s',
    ],
    ...STYLE,
  });
  for (const result of results) {
    for (const mover of moversOf(result)) {
      const runs = runsOf(result, mover);
      const outages = runs.map(({ outage }) => outage);
      const failure = result.failures[mover];
      if (failure !== undefined)
        table.push([titleOf(result), mover, { colSpan: 6, content: failure, wrapOnWordBoundary: true }]);
      if (runs.length === 0) continue;
      table.push([
        titleOf(result),
        mover,
        median(outages).toFixed(2),
        `${Math.min(...outages).toFixed(2)} – ${Math.max(...outages).toFixed(2)}`,
        figure(median(runs.flatMap(({ figures }) => figures.fenced ?? []))),
        median(runs.map(({ following }) => following)).toFixed(0),
        median(runs.map(({ rate }) => rate)).toFixed(0),
        median(runs.map(({ longestPause }) => longestPause)).toFixed(2),
      ]);
    }
  }
  return table.toString();
}

/** Where the outage went; some steps are under way at a time. What was before it in brackets. */
export function stepTable(results: OutageResult[]): string {
  const table = new Table({
    head: ['data', 'mover', 'seconds of each step'],
    colWidths: [null, null, 100],
    wordWrap: true,
    ...STYLE,
  });
  for (const result of results) {
    for (const mover of moversOf(result)) {
      const runs = runsOf(result, mover);
      if (runs.length === 0) continue;
      const before = stepMedians(runs, ({ figures }) => figures.before).map(
        ([step, s]) => `(${step} ${s.toFixed(1)})`,
      );
      const steps = stepMedians(runs, ({ figures }) => figures.steps);
      const told = median(runs.flatMap(({ figures }) => figures.fenced ?? []));
      const known = Number.isNaN(told) ? steps.reduce((sum, [, seconds]) => sum + seconds, 0) : told;
      const rest = median(runs.map(({ outage }) => outage)) - known;
      const shown = [...steps, ['to the target', rest] as const].map(
        ([step, s]) => `${step} ${s.toFixed(2)}`,
      );
      table.push([titleOf(result), mover, [...before, ...shown].join(', ')]);
    }
  }
  return table.toString();
}

/** Each mover's outage with the most data, to its own with the least. */
export function growth(results: OutageResult[]): Record<string, number> {
  const [least, most] = [results[0], results.at(-1)];
  if (least === undefined || most === undefined || least === most) return {};
  const outageOf = (result: OutageResult, mover: string) =>
    median(runsOf(result, mover).map(({ outage }) => outage));
  const ratios = moversOf(least).map(
    (mover) => [mover, outageOf(most, mover) / outageOf(least, mover)] as const,
  );
  return Object.fromEntries(ratios.filter(([, ratio]) => !Number.isNaN(ratio)));
}

function moversOf({ runs, failures }: OutageResult): string[] {
  return [...new Set([...runs.map(({ mover }) => mover), ...Object.keys(failures)])];
}

function runsOf({ runs }: OutageResult, mover: string): OutageRun[] {
  return runs.filter((run) => run.mover === mover);
}

function titleOf({ filling }: OutageResult): string {
  return `${filling.gigabytes} GB` + (filling.tables === 0 ? '' : `, ${filling.tables} tables more`);
}

function stepMedians(
  runs: OutageRun[],
  stepsOf: (run: OutageRun) => Record<string, number>,
): [step: string, seconds: number][] {
  const names = new Set(runs.flatMap((run) => Object.keys(stepsOf(run))));
  return [...names].map((name) => [name, median(runs.flatMap((run) => stepsOf(run)[name] ?? []))]);
}

function figure(value: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(2);
}
