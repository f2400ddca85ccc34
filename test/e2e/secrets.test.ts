import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { serversDirectory, type PostgresServer } from '../../embedded';
import { itInAll } from '../support/all';
import { runCli, startCli } from '../support/cli';
import { Migrations } from '../support/migration';
import { testTemporalAddress } from '../support/temporal';
import { WorkerProcess } from '../support/worker-process';
import { createOwnServer } from '../support/own-server';

/** Of both superusers: nothing else on this machine may ever hold it. */
const PASSWORD = 'Tr0ub4dor-zq7-secret';

let directory: string;
let source: PostgresServer;
let target: PostgresServer;

beforeAll(async () => {
  directory = await serversDirectory(`secrets-${process.pid}`);
  const options = { settings: { fsync: false }, password: PASSWORD };
  source = await createOwnServer({ major: 15, directory: join(directory, 'source'), ...options });
  target = await createOwnServer({ major: 18, directory: join(directory, 'target'), ...options });
  await Promise.all([source.start(), target.start()]);
});
afterAll(async () => {
  await Promise.all([source.remove(), target.remove()]);
  rmSync(directory, { recursive: true, force: true });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : statSync(path).isFile() ? [path] : [];
  });
}

describe('a password in the URI', () => {
  it('is nowhere in histories, logs, output, state directory or process list', async () => {
    const state = mkdtempSync(join(tmpdir(), 'flexlift-secrets-'));
    const pool = `secrets-${process.pid}`;
    const environment = {
      TEMPORAL_ADDRESS: testTemporalAddress(),
      TEMPORAL_NAMESPACE: 'default',
      FLEXLIFT_STATE_DIR: state,
    };
    const worker = WorkerProcess.start({ pool, environment });
    const migrations = await Migrations.connect();
    try {
      const uri = ({ host, port }: PostgresServer) =>
        `postgres://postgres:${PASSWORD}@${host}:${port}/postgres`;
      const args = ['migrate', '--source', uri(source), '--target', uri(target), '--pool', pool, '--verbose'];
      const child = startCli(
        [...args, '--name', pool, '--no-owner', '--no-privileges', '--database', 'postgres'],
        environment,
      );
      let output = '';
      const processes: string[] = [];
      child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        processes.push(execFileSync('ps', ['axww', '-o', 'args']).toString());
      });
      await new Promise((resolve) => child.on('close', resolve));
      expect(output).toMatch(/password.*(sealed|command line)/i);
      expect(output).not.toContain(PASSWORD);
      expect(worker.log).not.toContain(PASSWORD);
      expect(processes.length).toBeGreaterThan(0);
      expect(processes.at(-1)).not.toContain(PASSWORD);

      let histories = 0;
      for await (const execution of migrations.client.workflow.list({
        query: `TaskQueue = 'flexlift-${pool}'`,
      })) {
        const handle = migrations.client.workflow.getHandle(execution.workflowId, execution.runId);
        const history = JSON.stringify(await handle.fetchHistory());
        const described = JSON.stringify((await handle.describe()).raw);
        // the search itself works: what must be there is found
        expect(decoded(history)).toContain(pool);
        expect(decoded(history) + decoded(described)).not.toContain(PASSWORD);
        histories += 1;
      }
      expect(histories).toBeGreaterThan(0);
      for (const file of filesBelow(state)) expect(readFileSync(file).includes(PASSWORD)).toBe(false);
    } finally {
      await worker.kill();
      await migrations.close();
      rmSync(state, { recursive: true, force: true });
    }
  });
});

itInAll("a password in the worker's pgpass is enough for pg_dump too", async () => {
  const state = mkdtempSync(join(tmpdir(), 'flexlift-pgpass-'));
  const passwords = join(state, 'passwords');
  const line = ({ host, port }: PostgresServer) => `${host}:${port}:*:postgres:${PASSWORD}\n`;
  writeFileSync(passwords, line(source) + line(target), { mode: 0o600 });
  await inSource('postgres', 'CREATE DATABASE kept');
  await inSource('kept', 'CREATE TABLE t AS SELECT 1 AS a');
  const pool = `pgpass-${process.pid}`;
  const environment = {
    TEMPORAL_ADDRESS: testTemporalAddress(),
    TEMPORAL_NAMESPACE: 'default',
    FLEXLIFT_STATE_DIR: state,
  };
  const worker = WorkerProcess.start({ pool, environment: { ...environment, PGPASSFILE: passwords } });
  try {
    const uri = ({ host, port }: PostgresServer) => `postgres://postgres@${host}:${port}/postgres`;
    const args = ['migrate', '--source', uri(source), '--target', uri(target), '--pool', pool];
    const result = await runCli(
      [...args, '--name', pool, '--no-owner', '--no-privileges', '--database', 'kept'],
      environment,
    );
    expect(result).toMatchObject({ code: 0 });
  } finally {
    await worker.kill();
    rmSync(state, { recursive: true, force: true });
  }
});

async function inSource(database: string, statement: string): Promise<void> {
  const { host, port } = source;
  const client = new Client({ host, port, user: 'postgres', password: PASSWORD, database });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Payloads stand there as lists of bytes or as base64. */
function decoded(json: string): string {
  const base64 = [...json.matchAll(/"data":"([A-Za-z0-9+/=]+)"/g)].map(([, data]) =>
    Buffer.from(data ?? '', 'base64').toString(),
  );
  const bytes = [...json.matchAll(/"data":\[([\d,]+)\]/g)].map(([, list]) =>
    Buffer.from((list ?? '').split(',').map(Number)).toString(),
  );
  const keyed = [...json.matchAll(/"data":\{("0":\d+(?:,"\d+":\d+)*)\}/g)].map(([, list]) =>
    Buffer.from([...(list ?? '').matchAll(/:(\d+)/g)].map(([, byte]) => Number(byte))).toString(),
  );
  return [json, ...base64, ...bytes, ...keyed].join('\n');
}
