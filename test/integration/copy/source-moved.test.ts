import { hasSourceMoved, holdSnapshot } from '../../../postgres/copy';
import { eventually } from '../../support/eventually';
import { testEndpoint, withSession } from '../../support/servers';
import { identity, LIMITS, never, Pair } from './fixture';

const MAJOR = 14;
const KEEPER = 'flexlift:0123456789ab:holdSnapshot:moved:';
let pair: Pair;

beforeEach(createPair);
afterEach(() => pair.drop());

async function createPair(): Promise<void> {
  pair = await Pair.create(MAJOR, 17);
  await pair.both('CREATE TABLE t (id int PRIMARY KEY)');
}

/** A keeper's snapshot is taken and its load completed, as far as the scope knows. */
async function load(): Promise<void> {
  const stop = new AbortController();
  let ended: Promise<unknown> = Promise.resolve();
  await new Promise((resolve, reject) => {
    ended = holdSnapshot({
      source: testEndpoint(MAJOR, 'source', `${KEEPER}1`),
      target: testEndpoint(17, 'target', `${KEEPER}1`),
      database: pair.databases.source,
      identity,
      limits: LIMITS,
      predecessorPrefix: KEEPER,
      writersPrefix: 'flexlift:0123456789ab:copy',
      lockTimeout: 200,
      checksumTables: ({ tables }) => Promise.resolve(tables.map(() => ({ rows: '0', checksum: '0' }))),
      canCopy: () => Promise.resolve(true),
      signal: stop.signal,
      onHeld: resolve,
    }).catch(reject);
  });
  stop.abort(new Error('loaded'));
  await ended;
  await pair.sql('target', `UPDATE flexlift.scope SET state = 'complete' WHERE state = 'open'`);
}

function moved(): Promise<boolean> {
  return pair.session('source', (source) =>
    pair.session('target', (target) => hasSourceMoved(source, target), undefined, never),
  );
}

test('a transaction that was open at the snapshot and committed after it has moved the source', async () => {
  await withSession(MAJOR, pair.databases.source, async (writer) => {
    await writer.query('BEGIN');
    await writer.query('INSERT INTO t VALUES (1)');
    // a later one ends first: what is in progress lies before the snapshot's xmax
    await pair.sql('source', 'INSERT INTO t VALUES (2)');
    await load();
    await writer.query('COMMIT');
  });
  expect(await moved()).toBe(true);
});

test('a transaction that was prepared at the snapshot and committed after it has moved the source', async () => {
  const name = pair.databases.source;
  await pair.sql('source', `BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION '${name}'`);
  await pair.sql('source', 'INSERT INTO t VALUES (2)');
  await load();
  await pair.sql('source', `COMMIT PREPARED '${name}'`);
  expect(await moved()).toBe(true);
});

test('one that began after the snapshot has moved the source once it has committed', async () => {
  await load();
  await pair.sql('source', 'INSERT INTO t VALUES (1)');
  expect(await moved()).toBe(true);
});

test('a server on which nothing was written since has not moved', async () => {
  // other tests write on the same server, and a load that is complete is not done again
  await eventually('nothing is written between snapshot and comparison', async () => {
    await load();
    if (!(await moved())) return true;
    await pair.drop();
    await createPair();
  });
});
