import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTemporalBinary, type FindTemporalOptions } from '../../../embedded';

const VERSION = 'temporal version 9.9.9 (Server 1.29.1, UI 2.42.1)';
/** What `tar` and a fake `go` are run with, and no `temporal` there. */
const TOOLS = '/usr/bin:/bin';

let root: string;
let servers: Server[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-binary-'));
  servers = [];
});

afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(root, { recursive: true, force: true });
});

function program(directory: string, name: string, script: string): string {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

function listen(answer: RequestListener): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer(answer);
    servers.push(server);
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/latest`),
    );
  });
}

function options(more: Partial<FindTemporalOptions> = {}): FindTemporalOptions {
  return { cache: join(root, 'cache'), env: { PATH: TOOLS }, downloadUrl: 'http://127.0.0.1:1/', ...more };
}

/** The archive that the download service would send, with a program that prints `text`. */
function archive(text: string): Buffer {
  program(join(root, 'packed'), 'temporal', `echo '${text}'`);
  execFileSync('tar', ['-czf', join(root, 'archive.tgz'), '-C', join(root, 'packed'), 'temporal']);
  return readFileSync(join(root, 'archive.tgz'));
}

test('PATH comes first; what is named temporal and is something else is passed over', async () => {
  program(join(root, 'other'), 'temporal', 'echo some other tool');
  const path = program(join(root, 'right'), 'temporal', `echo '${VERSION}'`);
  const PATH = [join(root, 'other'), 'relative', join(root, 'right')].join(':');
  expect(await findTemporalBinary(options({ env: { PATH } }))).toEqual({
    path,
    origin: 'PATH',
    version: VERSION,
  });
});

test('a download is kept for the next call, and two calls at once make one', async () => {
  const bytes = archive(VERSION);
  const asked: string[] = [];
  const downloadUrl = await listen((request, response) => {
    asked.push(request.url ?? '');
    setTimeout(() => response.end(bytes), 100);
  });
  const found = await Promise.all([1, 2].map(() => findTemporalBinary(options({ downloadUrl }))));
  expect(found.map(({ origin }) => origin).sort()).toEqual(['cache', 'download']);
  expect(asked).toEqual([expect.stringMatching(/^\/latest\?platform=(linux|darwin)&arch=(amd64|arm64)$/)]);
  expect((await findTemporalBinary(options())).origin).toBe('cache');
  expect(readdirSync(join(root, 'cache', 'bin'))).toEqual(['temporal']);
});

test('without an answer the download is given up within seconds, and Go builds', async () => {
  const downloadUrl = await listen(() => undefined);
  program(
    join(root, 'bin'),
    'go',
    `echo compiling >&2; printf '#!/bin/sh\\necho "${VERSION}"' > $GOBIN/temporal; chmod 755 $GOBIN/temporal`,
  );
  const startedAt = Date.now();
  const steps = new Set<string>();
  const found = await findTemporalBinary(
    options({
      downloadUrl,
      env: { PATH: `${join(root, 'bin')}:${TOOLS}` },
      onProgress: ({ what }) => steps.add(what.slice(0, 11)),
    }),
  );
  expect(found).toMatchObject({ origin: 'Go build', version: VERSION });
  expect(Date.now() - startedAt).toBeLessThan(8_000);
  expect([...steps]).toEqual(['Downloading', 'Building Te']);
});

test.each([
  ['an error page', (): RequestListener => (_, response) => response.writeHead(503).end(), /503/],
  ['no archive', (): RequestListener => (_, response) => response.end('<html>'), /unpack/],
  [
    'a program for another machine',
    (): RequestListener => {
      const bytes = archive('Exec format error');
      return (_, response) => response.end(bytes);
    },
    /does not run here/,
  ],
])('%s is told, with the ways to get a server', async (_, answer, reason) => {
  const downloadUrl = await listen(answer());
  const failure = findTemporalBinary(options({ downloadUrl }));
  await expect(failure).rejects.toThrow(reason);
  await expect(failure).rejects.toMatchObject({
    fields: {
      code: 'TemporalUnreachable',
      sentence: expect.stringContaining('Go is not on PATH') as string,
      remedy: expect.stringMatching(/TEMPORAL_ADDRESS.*PATH.*download.*Go/) as string,
    },
  });
});

test('a build that fails says why, and leaves nothing', async () => {
  program(join(root, 'bin'), 'go', 'echo no route to host >&2; exit 1');
  const env = { PATH: `${join(root, 'bin')}:${TOOLS}` };
  await expect(findTemporalBinary(options({ env }))).rejects.toThrow(/exit code 1.*no route to host/);
  expect(readdirSync(join(root, 'cache', 'bin'))).toEqual([]);
});

test('an abort ends a build with all it started', async () => {
  program(join(root, 'bin'), 'go', `touch ${join(root, 'begun')}; sleep 62`);
  const controller = new AbortController();
  const env = { PATH: `${join(root, 'bin')}:${TOOLS}` };
  const finding = findTemporalBinary(options({ env, signal: controller.signal }));
  while (!existsSync(join(root, 'begun'))) await new Promise((resolve) => setTimeout(resolve, 20));
  controller.abort();
  await expect(finding).rejects.toMatchObject({ name: 'AbortError' });
});
