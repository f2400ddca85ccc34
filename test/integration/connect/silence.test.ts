import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { socketOf, withConnection } from '../../../postgres/connect';
import { COPY_DONE, CopyIn } from '../../../postgres/copy/copy-statement';
import { relayCopy } from '../../support/relay-copy';
import { testAddress, testEndpoint, withSession } from '../../support/servers';
import { TcpProxy } from '../../support/tcp-proxy';

const MAJOR = 17;
const SILENCE = 1_000;

let proxy: TcpProxy;

beforeEach(async () => {
  proxy = await TcpProxy.start(testAddress(MAJOR));
});
afterEach(async () => {
  await proxy.close();
});

async function session<T>(work: (client: Client) => Promise<T>, signal = new AbortController().signal) {
  const endpoint = testEndpoint(MAJOR, 'target', 'flexlift-test-silence');
  const proxied = { ...endpoint.address, port: proxy.port };
  return await withConnection(
    { ...endpoint, address: proxied, connectTimeout: 1_000, silence: SILENCE },
    'postgres',
    signal,
    work,
  );
}

async function failureOf(work: (client: Client) => Promise<unknown>): Promise<FlexliftError> {
  const outcome = await session(work).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(FlexliftError);
  return outcome as FlexliftError;
}

const silent = { code: 'Unreachable', side: 'target', sentence: /cannot be reached: it has sent nothing/ };

function expectSilent({ fields }: FlexliftError): void {
  expect(fields).toMatchObject({ ...silent, sentence: expect.stringMatching(silent.sentence) as string });
}

describe('a statement whose answer is waited for in vain', () => {
  it('ends when the server waits for us: the answer was lost', async () => {
    const failure = await failureOf(async (client) => {
      const answer = client.query('SELECT pg_sleep(0.2)');
      await pause(50);
      proxy.stall();
      proxy.reopen();
      await answer;
    });
    expectSilent(failure);
  });

  it('ends when the server has not got it', async () => {
    const failure = await failureOf(async (client) => {
      await client.query('BEGIN');
      proxy.stall();
      proxy.reopen();
      await client.query('SELECT 1');
    });
    expectSilent(failure);
  });

  it('ends when the server has ended its session', async () => {
    const failure = await failureOf(async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const answer = client.query('SELECT pg_sleep(60)');
      answer.catch(() => undefined);
      proxy.stall();
      proxy.reopen();
      await withSession(MAJOR, 'postgres', (other) =>
        other.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]),
      );
      await answer;
    });
    expectSilent(failure);
  });

  it('ends when nobody can reach the server', async () => {
    const failure = await failureOf(async (client) => {
      proxy.stall();
      await client.query('SELECT 1');
    });
    expectSilent(failure);
  });
});

describe('a silent session', () => {
  it('ends where COPY data was lost that nobody waits to send any more', async () => {
    const failure = await failureOf(async (client) => {
      await client.query('CREATE TEMPORARY TABLE t (i int)');
      const copy = client.query(new CopyIn(['COPY pg_temp.t FROM STDIN']));
      await copy.accepted;
      proxy.stall();
      proxy.reopen();
      socketOf(client).write(COPY_DONE);
      await copy.finished;
    });
    expectSilent(failure);
  });

  it('is left alone while the server is at work', async () => {
    await session(async (client) => {
      await client.query('SELECT pg_sleep(4)');
    });
  });

  it('is left alone while it waits for a lock', async () => {
    await withSession(MAJOR, 'postgres', async (other) => {
      await other.query('SELECT pg_advisory_lock(815)');
      await session(async (client) => {
        const answer = client.query('SELECT pg_advisory_lock(815)');
        await pause(4_000);
        await other.query('SELECT pg_advisory_unlock(815)');
        await answer;
      });
    });
  });

  it('is left alone while the server waits for what comes from elsewhere', async () => {
    await session(async (target) => {
      await target.query('CREATE TEMPORARY TABLE t (i int)');
      const signal = new AbortController().signal;
      const copyTo = 'COPY (SELECT 1 FROM pg_sleep(4)) TO STDOUT';
      const copied = await withConnection(testEndpoint(MAJOR, 'source'), 'postgres', signal, (source) =>
        relayCopy({ source, target, copyTo, copyFrom: 'COPY pg_temp.t FROM STDIN', signal }),
      );
      expect(copied.rows).toBe(1);
    });
  });

  it('is left alone while nothing is asked of it', async () => {
    await session(async (client) => {
      await pause(4_000);
      await client.query('SELECT 1');
    });
  });

  it('is closed on our side where the server’s is out of reach', async () => {
    await session(async (client) => {
      await client.query('SELECT 1');
      proxy.stall();
    });
  });

  it('ends with the work that is called off, where the server is out of reach', async () => {
    const canceled = new AbortController();
    const work = session(async (client) => {
      proxy.stall();
      const answer = client.query('SELECT 1');
      canceled.abort(new Error('called off'));
      await answer;
    }, canceled.signal);
    await expect(work).rejects.toThrow('called off');
  });
});
