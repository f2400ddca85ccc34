import { stagingDatabase, STAGING_PATTERN } from '../../../postgres/catalog';
import { enumerate } from '../../../postgres/validate';
import { compareVersions } from '../../../postgres/validate/rules/extensions';

describe('versions of extensions', () => {
  it.each([
    ['1.10', '1.9', 1],
    ['1.9', '1.10', -1],
    ['3.4.0', '3.4', 0],
    ['2.0alpha1', '2.0', 1],
    ['', '1', -1],
  ])('%j against %j', (one, other, sign) => {
    expect(Math.sign(compareVersions(one, other))).toBe(sign);
  });
});

describe('names in a finding', () => {
  it('shows five and counts the others', () => {
    expect(enumerate(['a', 'b'])).toBe('a, b');
    expect(enumerate(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toBe('a, b, c, d, e and 2 more');
    expect(enumerate(['a'], 9)).toBe('a and 8 more');
  });
});

describe('the staging name', () => {
  it('is short, recognised, and different for each database and migration', () => {
    const names = [
      stagingDatabase('0123456789ab', 'x'.repeat(63)),
      stagingDatabase('0123456789ab', '🐘'),
      stagingDatabase('ba9876543210', '🐘'),
    ];
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(new RegExp(STAGING_PATTERN));
  });
});
