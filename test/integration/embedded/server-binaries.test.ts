import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findServerBinaries } from '../../../embedded';
import { copyNpmServer, linkLibraries, npmServers } from '../../../embedded/npm-server';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-binaries-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A server as npm unpacks it where it may run no scripts and the umask is 077. */
function npmPackage(): string {
  const native = join(root, 'postgres-99-test', 'native');
  mkdirSync(join(native, 'lib'), { recursive: true, mode: 0o700 });
  mkdirSync(join(native, 'bin'), { mode: 0o700 });
  writeFileSync(join(dirname(native), 'package.json'), JSON.stringify({ version: `99.0.0-${process.pid}` }));
  writeFileSync(join(native, 'bin', 'postgres'), '#!/bin/sh', { mode: 0o700 });
  writeFileSync(join(native, 'lib', 'libpq.so.5.99'), 'library', { mode: 0o600 });
  const links = [{ source: 'native/lib/libpq.so.5.99', target: 'native/lib/libpq.so.5' }];
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links));
  return native;
}

test('the newest server within a bound is found, an installed one before one from npm', async () => {
  const majors = npmServers().map(({ major }) => major);
  expect(majors).toEqual(expect.arrayContaining([17, 18]));
  expect((await findServerBinaries({ atLeast: 17 })).major).toBe(Math.max(...majors));
  expect((await findServerBinaries({ atMost: 14 })).major).toBe(14);
  const installed = existsSync('/usr/lib/postgresql/15/bin/initdb');
  expect(await findServerBinaries(15)).toMatchObject({ major: 15, origin: installed ? 'installed' : 'npm' });
});

test('a major that is not there is an error with a remedy', async () => {
  await expect(findServerBinaries({ atMost: 9 })).rejects.toMatchObject({
    fields: { code: 'ClientToolFailed', sentence: expect.stringContaining('major 9 or older') as string },
  });
});

test("libraries' links are made once", () => {
  const native = npmPackage();
  const link = join(native, 'lib', 'libpq.so.5');
  linkLibraries(native);
  linkLibraries(native);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(link, 'utf8')).toBe('library');
});

test('a copy can be read by everybody and needs nothing of the original', async () => {
  const native = npmPackage();
  const [copy, same] = await Promise.all([copyNpmServer(native), copyNpmServer(native)]);
  try {
    expect(same).toBe(copy);
    chmodSync(native, 0o700);
    rmSync(native, { recursive: true });
    expect(statSync(join(copy, 'bin', 'postgres')).mode & 0o777).toBe(0o755);
    expect(statSync(join(copy, 'lib', 'libpq.so.5')).mode & 0o777).toBe(0o644);
    expect(readFileSync(join(copy, 'lib', 'libpq.so.5'), 'utf8')).toBe('library');
  } finally {
    rmSync(dirname(copy), { recursive: true, force: true });
  }
});
