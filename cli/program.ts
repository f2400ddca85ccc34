import { Command } from 'commander';
import { packageVersion } from '../embedded';
import { addCancel } from './commands/cancel';
import { addCleanup } from './commands/cleanup';
import { examples } from './commands/common';
import { addCreate } from './commands/create';
import { addCutover } from './commands/cutover';
import { addDemo } from './commands/demo';
import { addDoctor } from './commands/doctor';
import { addList } from './commands/list';
import { addMigrate } from './commands/migrate';
import { addPause } from './commands/pause';
import { addRecopy } from './commands/recopy';
import { addResume } from './commands/resume';
import { addShow } from './commands/show';
import { addStop } from './commands/stop';
import { addThrottle } from './commands/throttle';
import { addUnfence } from './commands/unfence';
import { addWatch } from './commands/watch';
import { addWorker } from './commands/worker';

/** The whole command line. */
export function createProgram(): Command {
  const program = new Command('flexlift')
    .description('Migrate PostgreSQL servers, durably, and prove that the target equals the source.')
    .version(packageVersion())
    .option('-q, --quiet', 'no progress, only data, warnings and errors')
    .option('-v, --verbose', 'say more, on stderr')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(see --help)')
    .addHelpText(
      'after',
      examples(
        'flexlift demo',
        'flexlift migrate --source postgres://me@old:5432/ --target postgres://me@new:5432/',
      ) +
        '\nTemporal is taken from TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE… and its profile file; without them flexlift\n' +
        'starts a server and a worker of its own (state: FLEXLIFT_STATE_DIR; its end: flexlift stop).\n',
    );
  // before the commands are made, for they inherit it
  program.exitOverride();
  const adders = [
    addMigrate,
    addCreate,
    addList,
    addShow,
    addWatch,
    addCutover,
    addUnfence,
    addPause,
    addThrottle,
    addResume,
    addRecopy,
    addCancel,
    addCleanup,
    addWorker,
    addDoctor,
    addDemo,
    addStop,
  ];
  for (const add of adders) add(program);
  return program;
}
