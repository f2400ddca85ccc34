import { TestEnvironment } from './test-environment';

export default async function globalTeardown(): Promise<void> {
  await TestEnvironment.current?.stop();
}
