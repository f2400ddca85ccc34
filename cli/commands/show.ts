import type { Command } from 'commander';
import { ProgressMeter, type DatabaseStatus, type MigrationSnapshot } from '../../client';
import type { Engine } from '../engine';
import { EXIT } from '../exit-code';
import { formatName } from '../format';
import { progressLines } from '../live/progress-lines';
import type { Output } from '../output';
import { concurrencyText } from '../report/concurrency-text';
import { onlineLines } from '../report/online-text';
import { createReport } from '../report/report';
import { findingLines, reportText } from '../report/report-text';
import { addJsonFlag, examples } from './common';
import { onMigration } from './on-migration';

export function addShow(program: Command): void {
  addJsonFlag(program.command('show').argument('<name>').description('show how a migration stands'))
    .addHelpText('after', examples('flexlift show shop', 'flexlift show shop --json | jq .status.state'))
    .action((name: string, _flags: unknown, self: Command) =>
      onMigration(self, name, async (handle, { engine, output }) => {
        const snapshot = await handle.snapshot();
        if (output.json) output.data(JSON.stringify(snapshot, null, 2));
        else if (snapshot.running) output.data(runningText(snapshot, engine, output));
        else if (snapshot.status !== undefined) {
          output.data(reportText(createReport(engine, handle, snapshot.status), output.colors));
        }
        return EXIT.done;
      }),
    );
}

function runningText(snapshot: MigrationSnapshot, engine: Engine, output: Output): string {
  const { colors } = output;
  const { name, status } = snapshot;
  const figures = new ProgressMeter().measure(snapshot);
  return [
    `${colors.bold(name)}: ${status === undefined ? '' : `${status.source} to ${status.target}: `}${status?.state ?? 'InProgress'}`,
    ...(status?.concurrency === undefined ? [] : [concurrencyText(status.concurrency)]),
    ...findingLines(status?.findings ?? [], colors),
    ...progressLines(snapshot, figures, { colors, databases: Infinity }),
    ...(status?.databases ?? []).flatMap((database) => onlineSection(database, output)),
    `Workflow: ${snapshot.workflowId} in namespace ${engine.namespace} of ${engine.address}`,
  ].join('\n');
}

function onlineSection(database: DatabaseStatus, { colors }: Output): string[] {
  const lines = onlineLines(database, colors);
  return lines.length === 0 ? [] : [colors.bold(`Database ${formatName(database.database)}`), ...lines];
}
