import { TestEnvironment } from './test-environment';

/** Starts what the tests need and the environment does not name yet. */
export default async function globalSetup(): Promise<void> {
  await TestEnvironment.start();
}
