import { Option, type Command } from 'commander';
import {
  DEFAULT_FENCE,
  DEFAULT_MAX_COMPARE,
  DEFAULT_MAX_LAG,
  hasEnded,
  type DatabaseStatus,
  type FenceMode,
  type MigrationHandle,
  type MigrationStatus,
} from '../../client';
import { confirmDestruction } from '../confirm';
import { EXIT, type ExitCode } from '../exit-code';
import { formatName } from '../format';
import { collect } from '../options/collect';
import { parseSize } from '../options/sizes';
import { unlessInterrupted, type Session } from '../session';
import { acceptDrift } from './accept-drift';
import { addJsonFlag, examples, type CommonFlags } from './common';
import { awaitReadiness, concerned, followCutover, needNotWait, sayCutovers } from './cutover-progress';
import { reportEnd } from './follow-to-end';
import { onMigration } from './on-migration';

interface CutoverFlags extends CommonFlags {
  database?: string[];
  fence: FenceMode;
  maxLag: number;
  maxCompare: number;
  acceptDrift?: boolean;
  wait?: boolean;
  abort?: boolean;
  yes?: boolean;
}

const FENCES: FenceMode[] = ['read-only', 'revoke-connect', 'none'];

export function addCutover(program: Command): void {
  addJsonFlag(
    program
      .command('cutover')
      .argument('<name>')
      .description('hand over to the target: fence the source, bring over the rest, prove, release'),
  )
    .option('--database <name>', 'only this one; repeatable (default: all that go on)', collect)
    .addOption(
      new Option('--fence <how>', 'how writers are kept from the source')
        .choices(FENCES)
        .default(DEFAULT_FENCE),
    )
    .addOption(
      new Option('--max-lag <size>', 'refuse while more WAL than this is not applied')
        .argParser(parseSize)
        .default(DEFAULT_MAX_LAG, '1MB'),
    )
    .addOption(
      new Option(
        '--max-compare <size>',
        'refuse where more than this is left to be compared behind the fence',
      )
        .argParser(parseSize)
        .default(DEFAULT_MAX_COMPARE, '1GB'),
    )
    .option('--accept-drift', 'the schema was changed on both sides alike: cut over with that')
    .option('--wait', 'until it is ready, and then until it is over')
    .addOption(
      new Option('--abort', 'call a cutover off: lift the fence, replicate on').conflicts([
        'acceptDrift',
        'wait',
        'fence',
        'maxLag',
        'maxCompare',
      ]),
    )
    .option('-y, --yes', 'do not ask before the source is fenced')
    .addHelpText(
      'after',
      examples(
        'flexlift cutover shop',
        'flexlift cutover shop --wait --yes',
        'flexlift cutover shop --database crm --fence revoke-connect --max-lag 64kB',
        'flexlift cutover shop --abort',
      ) +
        '\nUntil the release it can be called off, and replication goes on. After the release the source stays\n' +
        'fenced, until flexlift unfence.\n' +
        'Exit codes with --wait: 0 released and equal, 1 called off, 4 difference found, 6 released, not compared.\n',
    )
    .action((name: string, flags: CutoverFlags, self: Command) =>
      onMigration(self, name, (handle, session) =>
        flags.abort === true ? abortCutover(handle, flags, session) : cutOver(handle, flags, session),
      ),
    );
}

async function cutOver(handle: MigrationHandle, flags: CutoverFlags, session: Session): Promise<ExitCode> {
  const { fence, maxLag: maxLagBytes, maxCompare: maxCompareBytes, database, wait = false } = flags;
  const { output } = session;
  let { status } = await handle.snapshot();
  if (status?.endedAt === undefined) {
    await confirmDestruction('cutover', fenceText(fence, status, database), flags.yes);
  }
  if (wait) status = await awaitReadiness(handle, database, session);
  if (wait && status === undefined) return EXIT.detached;
  if (status?.endedAt !== undefined) return await reportEnd(handle, status, session);
  const databases = status === undefined ? database : namesOf(concerned(status, database), database);
  // else the cutover is refused, and the drift would stay accepted
  if (flags.acceptDrift === true && (status === undefined || needNotWait(status, database))) {
    await acceptDrift(handle, databases, session.signal);
  }
  if (session.signal.aborted) {
    output.say('No cutover was asked for; the migration goes on.');
    return EXIT.detached;
  }
  const accepted = await handle.cutover({ databases, fence, maxLagBytes, maxCompareBytes });
  if (wait) return await followCutover(handle, accepted, databases, session);

  const { name, workflowId } = handle;
  if (output.json) output.data(JSON.stringify({ version: 1, name, workflowId, accepted: true, databases }));
  output.say(
    `The cutover of ${name} has begun. Watch it: flexlift watch ${name}. Call it off: flexlift cutover ${name} --abort.`,
  );
  return EXIT.done;
}

/** Where all have ended, the migration says what that means for the request. */
function namesOf(databases: DatabaseStatus[], named: string[] | undefined): string[] | undefined {
  return databases.length === 0 ? named : databases.map(({ database }) => database);
}

async function abortCutover(
  handle: MigrationHandle,
  { database: databases }: CutoverFlags,
  { output, signal }: Session,
): Promise<ExitCode> {
  const accepted = await handle.abortCutover({ databases });
  output.say('The cutover is being called off.');
  const status = await unlessInterrupted(signal, accepted.result({ signal }));
  if (status === undefined) return EXIT.detached;
  const tried = status.databases.filter((one) => databases?.includes(one.database) ?? true);
  if (output.json) output.data(JSON.stringify(status, null, 2));
  else sayCutovers(tried, output);
  if (tried.some(({ cutover }) => cutover?.state === 'CalledOff')) {
    output.say('What was called off takes writes on the source again, and is replicated on.');
    return EXIT.done;
  }
  output.error('It was too late: the target is released.');
  return EXIT.failed;
}

/** What a cutover does to the applications of the source. */
function fenceText(
  fence: FenceMode,
  status: MigrationStatus | undefined,
  named: string[] | undefined,
): string {
  const known = status === undefined ? [] : concerned(status, named).filter((one) => !hasEnded(one));
  const names = known.map(({ database }) => formatName(database)).join(', ');
  const what = `${names === '' ? 'the databases' : names} on ${status?.source ?? 'the source'}`;
  switch (fence) {
    case 'read-only':
      return `makes ${what} read-only and ends all sessions there`;
    case 'revoke-connect':
      return `takes the right to connect to ${what} from all others and ends their sessions`;
    case 'none':
      return `hands over ${what} without a fence: a write that comes late calls it off`;
  }
}
