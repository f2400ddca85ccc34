import { Connection, Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../../../contract';
import {
  ensureTemporalServer,
  killTemporalServer,
  runningTemporalServer,
  stateDirectory,
  stopTemporalServer,
  type StateDirectory,
} from '../../../embedded';
import { readRecord, writeRecord } from '../../../embedded/process-record';
import { identifyProcess } from '../../../embedded/process-identity';

let root: string;
let state: StateDirectory;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-temporal-'));
  state = stateDirectory({ FLEXLIFT_STATE_DIR: root });
});

afterEach(async () => {
  await killTemporalServer(state);
  rmSync(root, { recursive: true, force: true });
});

async function withClient<T>(address: string, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection, namespace: 'flexlift' }));
  } finally {
    await connection.close();
  }
}

/** Starts a workflow that no worker takes, with a search attribute of ours. */
function startWorkflow(address: string): Promise<string> {
  return withClient(address, async (client) => {
    const key = defineSearchAttributeKey(SEARCH_ATTRIBUTES.state, 'KEYWORD');
    const handle = await client.workflow.start('none', {
      taskQueue: 'nobody',
      workflowId: randomUUID(),
      typedSearchAttributes: [{ key, value: 'InProgress' }],
    });
    return handle.workflowId;
  });
}

test('a server starts with its namespace, search attributes and 30 days of retention', async () => {
  const server = await ensureTemporalServer(state);
  expect(server).toMatchObject({
    namespace: 'flexlift',
    started: true,
    pid: runningTemporalServer(state)?.pid,
  });
  await startWorkflow(server.address);
  await withClient(server.address, async ({ workflowService }) => {
    const { config } = await workflowService.describeNamespace({ namespace: 'flexlift' });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 60 * 60);
  });
  const page = await fetch(server.uiUrl);
  expect(page.status).toBe(200);
});

test('after SIGKILL the next call gives the same addresses, and the histories', async () => {
  const before = await ensureTemporalServer(state);
  const workflowId = await startWorkflow(before.address);
  await killTemporalServer(state);
  expect(runningTemporalServer(state)).toBeUndefined();
  const after = await ensureTemporalServer(state);
  expect(after).toMatchObject({ address: before.address, uiUrl: before.uiUrl, started: true });
  expect(after.pid).not.toBe(before.pid);
  const status = await withClient(after.address, (client) =>
    client.workflow.getHandle(workflowId).describe(),
  );
  expect(status.status.name).toBe('RUNNING');
});

test('calls at the same time give one server', async () => {
  const servers = await Promise.all([1, 2, 3].map(() => ensureTemporalServer(state)));
  expect(new Set(servers.map(({ pid }) => pid)).size).toBe(1);
  expect(servers.filter(({ started }) => started)).toHaveLength(1);
});

test('a pid that now belongs to another process is left alone', async () => {
  const first = await ensureTemporalServer(state);
  await stopTemporalServer(state);
  const record = readRecord(state, 'temporal');
  if (record?.identity === undefined) throw new Error('no record');
  const stranger = spawn('sleep', ['60']);
  try {
    const reused = { pid: stranger.pid ?? 0, startTime: record.identity.startTime };
    writeRecord(state, 'temporal', { ...record, identity: reused });
    expect(await stopTemporalServer(state)).toBe(false);
    const second = await ensureTemporalServer(state);
    expect(second).toMatchObject({ started: true, address: first.address });
    expect(identifyProcess(reused.pid)).toBeDefined();
  } finally {
    stranger.kill();
  }
});

test('a server whose starter died before it wrote the pid is found', async () => {
  const first = await ensureTemporalServer(state);
  const record = readRecord(state, 'temporal');
  if (record === undefined) throw new Error('no record');
  writeRecord(state, 'temporal', { ...record, identity: undefined });
  expect(await ensureTemporalServer(state)).toMatchObject({ pid: first.pid, started: false });
});

test('a server of another version of flexlift is replaced', async () => {
  const first = await ensureTemporalServer(state);
  const record = readRecord(state, 'temporal');
  if (record === undefined) throw new Error('no record');
  writeRecord(state, 'temporal', { ...record, version: '0.0.0' });
  const second = await ensureTemporalServer(state);
  expect(second).toMatchObject({ started: true, address: first.address });
  expect(identifyProcess(first.pid)).toBeUndefined();
});

test('a taken port is replaced by another', async () => {
  const first = await ensureTemporalServer(state);
  await killTemporalServer(state);
  const port = Number(first.address.split(':')[1]);
  const thief = await new Promise<Server>((resolve) => {
    const server = createServer();
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
  try {
    const second = await ensureTemporalServer(state);
    expect(second.address).not.toBe(first.address);
    expect(second.uiUrl).toBe(first.uiUrl);
  } finally {
    thief.close();
  }
});

test('a server that does not start is an error with the end of its log, and leaves no process', async () => {
  writeFileSync(state.temporalDatabase, 'this is no database');
  await expect(ensureTemporalServer(state)).rejects.toMatchObject({
    fields: { code: 'TemporalUnreachable', sentence: expect.stringContaining('not a database') as string },
  });
  expect(runningTemporalServer(state)).toBeUndefined();
});

test('the server is told no secret of ours', async () => {
  process.env.FLEXLIFT_TEST_SECRET = 'hush';
  try {
    const { pid } = await ensureTemporalServer(state);
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment).toContain('PATH=');
    expect(environment).not.toContain('hush');
  } finally {
    delete process.env.FLEXLIFT_TEST_SECRET;
  }
});
