import { codeOfMessages, sentenceOf } from '../../../postgres/schema/dump-failure';

test.each([
  ['SnapshotLost', 'pg_dump: error: query failed: ERROR:  snapshot "00000003-1" does not exist'],
  ['SnapshotLost', 'pg_dump: error: query failed: ERROR:  invalid snapshot identifier: "x"'],
  ['SnapshotLost', 'pg_dump: error: query failed: ERROR:  could not import the requested snapshot'],
  ['ServerRestarting', 'FATAL:  terminating connection due to administrator command'],
  ['ServerRestarting', 'FATAL:  the database system is starting up'],
  ['Unreachable', 'pg_dump: error: query failed: server closed the connection unexpectedly'],
  ['Unreachable', 'connection to server at "10.0.0.1", port 1 failed: Connection refused'],
  ['Contention', 'ERROR:  canceling statement due to statement timeout'],
  ['ResourceExhausted', 'pg_dump: error: query failed: ERROR:  out of shared memory'],
  [undefined, 'connection to server at "h" failed: FATAL:  password authentication failed for user "u"'],
  [undefined, 'pg_dump: error: query failed: ERROR:  permission denied for table t'],
  [undefined, 'pg_dump: error: query failed: ERROR:  relation "x" does not exist'],
])('%s: %s', (code, messages) => {
  expect(codeOfMessages(messages)).toBe(code);
});

test.each([
  [
    'pg_dump: warning: noise\npg_dump: error: query failed: ERROR:  permission denied for table t\npg_dump: detail: Query was: LOCK TABLE t',
    'pg_dump: query failed: ERROR: permission denied for table t.',
  ],
  [
    'pg_dump: [archiver (db)] query failed: ERROR:  x\npg_dump: query was: SELECT',
    'pg_dump: query failed: ERROR: x.',
  ],
  ['spawn pg_dump ENOENT', 'pg_dump: spawn pg_dump ENOENT.'],
  ['', 'pg_dump: ended without a message.'],
])('the sentence of %j', (messages, sentence) => {
  expect(sentenceOf(messages)).toBe(sentence);
});
