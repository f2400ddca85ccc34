import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choosePgDump, findPgDump } from '../../../postgres/schema';

const tools = [15, 17, 17, 18].map((major, n) => ({ path: `/${n}/pg_dump`, major }));

test.each([
  ["the target's major", { sourceMajor: 11, targetMajor: 15 }, '/0/pg_dump'],
  ['the first of equals', { sourceMajor: 15, targetMajor: 17 }, '/1/pg_dump'],
  ['the newest where the target has none', { sourceMajor: 11, targetMajor: 16 }, '/3/pg_dump'],
  ['never one older than the source', { sourceMajor: 16, targetMajor: 15 }, '/3/pg_dump'],
  ['none', { sourceMajor: 19, targetMajor: 19 }, undefined],
])('%s', (_, majors, path) => {
  expect(choosePgDump(tools, majors)?.path).toBe(path);
});

test('a directory that is named comes first; a source newer than every tool is told what to install', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'flexlift-tools-test-'));
  const path = join(directory, 'pg_dump');
  writeFileSync(path, '#!/bin/sh\necho "pg_dump (PostgreSQL) 97.3 (Odd 97.3-1)"\n');
  chmodSync(path, 0o755);
  process.env.FLEXLIFT_PG_BIN = directory;
  try {
    expect(await findPgDump({ sourceMajor: 11, targetMajor: 97 })).toEqual({ path, major: 97 });
    await expect(findPgDump({ sourceMajor: 98, targetMajor: 99 })).rejects.toMatchObject({
      fields: {
        code: 'ClientToolFailed',
        sentence: expect.stringContaining("version 97, older than the source's 98") as string,
        remedy: expect.stringContaining('postgresql-client-99') as string,
      },
    });
  } finally {
    delete process.env.FLEXLIFT_PG_BIN;
    rmSync(directory, { recursive: true });
  }
});
