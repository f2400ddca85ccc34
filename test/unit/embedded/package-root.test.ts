import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot, packageVersion } from '../../../embedded';

test('the package is found from the sources', () => {
  expect(existsSync(join(packageRoot(), 'contract', 'names.ts'))).toBe(true);
  expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
});
