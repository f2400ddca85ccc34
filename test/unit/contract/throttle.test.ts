import {
  databasesAtOnce,
  DEFAULT_LIMITS,
  fewestConnections,
  shareOf,
  type MigrationMode,
} from '../../../contract';

const sharing = (mode: MigrationMode, databases: number, maxConnections?: number, maxRate?: number) => ({
  throttle: { maxConnections, maxRate },
  limits: { ...DEFAULT_LIMITS, databasesAtOnce: 3, copiesAtOnce: 4 },
  mode,
  databases,
});

/** Sessions that may be open at a time: of copies, three beside them per loading database, three per replicated one. */
function sessionsOf(mode: MigrationMode, databases: number, maxConnections: number): number {
  const of = sharing(mode, databases, maxConnections);
  const loading = Math.min(databasesAtOnce(of), databases);
  const ofCopies = shareOf(of, loading).copiesAtOnce * (mode === 'Online' ? 4 : 1);
  return loading * (ofCopies + 3) + (mode === 'Online' ? databases * 3 : 0);
}

test('without bounds the limits hold', () => {
  expect(databasesAtOnce(sharing('Offline', 5))).toBe(3);
  expect(shareOf(sharing('Offline', 5), 3)).toEqual({ copiesAtOnce: 4, bytesPerSecond: undefined });
});

test.each(['Offline', 'Online'] as const)('no more sessions than told, and never none, %s', (mode) => {
  for (let databases = 1; databases <= 5; databases += 1) {
    const fewest = fewestConnections(mode, databases);
    for (let most = fewest; most < 60; most += 1) {
      expect(sessionsOf(mode, databases, most)).toBeLessThanOrEqual(most);
    }
    // what is there is used
    expect(sessionsOf(mode, databases, fewest)).toBe(fewest);
    expect(sessionsOf(mode, 1, 60)).toBe(mode === 'Online' ? 22 : 7);
  }
});

test('the rate is shared by those that load', () => {
  const of = sharing('Offline', 2, undefined, 1_000_000);
  expect(shareOf(of, 2).bytesPerSecond).toBe(500_000);
  expect(shareOf(of, 1).bytesPerSecond).toBe(1_000_000);
  expect(shareOf(of, 0).bytesPerSecond).toBe(1_000_000);
});
