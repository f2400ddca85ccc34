import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openServer, serversDirectory, stateDirectory } from '../../embedded';
import { stopEngine } from '../engine';

/** Where a demo lives: apart from the user's own migrations. */
export interface DemoPlace {
  /** The environment of all that the demo starts: a state directory of its own. */
  environment: NodeJS.ProcessEnv;
  sourceDirectory: string;
  targetDirectory: string;
}

/** One place per state directory: a demo finds what an earlier one left. */
export async function demoPlace(environment: NodeJS.ProcessEnv = process.env): Promise<DemoPlace> {
  const root = join(stateDirectory(environment).root, 'demo');
  const digest = createHash('sha256').update(root).digest('hex').slice(0, 8);
  const servers = await serversDirectory(`demo-${digest}`);
  return {
    environment: { ...environment, FLEXLIFT_STATE_DIR: root },
    sourceDirectory: join(servers, 'source'),
    targetDirectory: join(servers, 'target'),
  };
}

/** Stops and removes all of a demo, also of one that was killed. Gives whether anything ran. */
export async function removeDemo(place: DemoPlace): Promise<boolean> {
  const state = stateDirectory(place.environment);
  const stopped = await stopEngine(state);
  let servers = 0;
  for (const directory of [place.sourceDirectory, place.targetDirectory]) {
    const server = await openServer(directory);
    if (server?.isRunning === true) servers += 1;
    await server?.remove();
    rmSync(directory, { recursive: true, force: true });
  }
  rmSync(state.root, { recursive: true, force: true });
  return stopped.length + servers > 0;
}
