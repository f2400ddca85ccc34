import type { Command } from 'commander';
import { ProgressMeter, type MigrationSnapshot } from '../../client';
import { ensureWorker, type Engine } from '../engine';
import { EXIT } from '../exit-code';
import { progressLines } from '../live/progress-lines';
import type { Output } from '../output';
import { createReport } from '../report/report';
import { reportText } from '../report/report-text';
import { withSession } from '../session';
import { addJsonFlag, examples, run } from './common';

export function addShow(program: Command): void {
  addJsonFlag(program.command('show').argument('<name>').description('show how a migration stands'))
    .addHelpText('after', examples('flexlift show shop', 'flexlift show shop --json | jq .status.state'))
    .action((name: string, _flags: unknown, self: Command) =>
      run(self, (output) =>
        withSession(output, async ({ engine, client, signal }) => {
          const handle = await client.find(name);
          if (handle.run.how === 'running')
            await ensureWorker(engine, client, handle.run.pool, { output, signal });
          const snapshot = await handle.snapshot();
          if (output.json) output.data(JSON.stringify(snapshot, null, 2));
          else if (snapshot.running) output.data(runningText(snapshot, engine, output));
          else if (snapshot.status !== undefined) {
            output.data(reportText(createReport(engine, handle, snapshot.status), output.colors));
          }
          return EXIT.done;
        }),
      ),
    );
}

function runningText(snapshot: MigrationSnapshot, engine: Engine, { colors }: Output): string {
  const { name, status } = snapshot;
  const figures = new ProgressMeter().measure(snapshot);
  return [
    `${colors.bold(name)}: ${status === undefined ? '' : `${status.source} to ${status.target}: `}${status?.state ?? 'InProgress'}`,
    ...progressLines(snapshot, figures, { colors, databases: Infinity }),
    `Workflow: ${snapshot.workflowId} in namespace ${engine.namespace} of ${engine.address}`,
  ].join('\n');
}
