import type { Client } from 'pg';
import { atSide } from '../connect';

/** Objects smaller than this are moved many at a time, bytes. */
const SMALL = 64 * 1024;
const SMALL_AT_ONCE = 100;
const CHUNK = 4 * 1024 ** 2;

const INV_WRITE = 0x20000;
const INV_READ = 0x40000;
const SEEK_END = 2;

interface Beginning {
  oid: number;
  data: Buffer;
}

export interface LargeObjectSessions {
  source: Client;
  target: Client;
  signal: AbortSignal;
  /** Resolves when more may come. */
  onBytes: (bytes: number) => Promise<void>;
}

/** Creates the objects on the target, each under its own OID and with its contents. */
export async function copyLargeObjectData(sessions: LargeObjectSessions, oids: number[]): Promise<void> {
  const { source, target, signal, onBytes } = sessions;
  for (let first = 0; first < oids.length; first += SMALL_AT_ONCE) {
    signal.throwIfAborted();
    const rows = await beginningsOf(source, oids.slice(first, first + SMALL_AT_ONCE));
    const small = rows.filter((row) => row.data.length < SMALL);
    await target.query(
      `SELECT pg_catalog.lo_from_bytea(o.oid, o.data) FROM unnest($1::oid[], $2::bytea[]) AS o(oid, data)`,
      [small.map((row) => row.oid), small.map((row) => row.data)],
    );
    await onBytes(small.reduce((sum, row) => sum + row.data.length, 0));
    for (const { oid } of rows.filter((row) => row.data.length >= SMALL)) await copyLarge(sessions, oid);
  }
}

/** `lo_get` works for everybody who may read the object; `pg_largeobject` itself is for superusers. */
async function beginningsOf(source: Client, oids: number[]): Promise<Beginning[]> {
  const { rows } = await atSide('source', source, () =>
    source.query<Beginning>(
      'SELECT oid, pg_catalog.lo_get(oid, 0, $2) AS data FROM pg_catalog.unnest($1::oid[]) AS oid',
      [oids, SMALL],
    ),
  );
  return rows;
}

/** Chunk by chunk; a hole stays a hole, for its zeros are not written. */
async function copyLarge(
  { source, target, signal, onBytes }: LargeObjectSessions,
  oid: number,
): Promise<void> {
  const size = await atSide('source', source, () => sizeOf(source, oid));
  await createWithSize(target, oid, size);
  for (let offset = 0; offset < size; offset += CHUNK) {
    signal.throwIfAborted();
    const data = await chunkOf(source, oid, offset);
    if (data.some((byte) => byte !== 0)) {
      await target.query('SELECT pg_catalog.lo_put($1, $2, $3)', [oid, offset, data]);
    }
    await onBytes(data.length);
  }
}

async function chunkOf(source: Client, oid: number, offset: number): Promise<Buffer> {
  const { rows } = await atSide('source', source, () =>
    source.query<{ data: Buffer }>('SELECT pg_catalog.lo_get($1, $2, $3) AS data', [oid, offset, CHUNK]),
  );
  return rows[0]?.data ?? Buffer.alloc(0);
}

async function sizeOf(client: Client, oid: number): Promise<number> {
  return await withDescriptor(client, oid, INV_READ, async (descriptor) => {
    const { rows } = await client.query<{ size: string }>('SELECT pg_catalog.lo_lseek64($1, 0, $2) AS size', [
      descriptor,
      SEEK_END,
    ]);
    return Number(rows[0]?.size);
  });
}

async function createWithSize(client: Client, oid: number, size: number): Promise<void> {
  await client.query('SELECT pg_catalog.lo_create($1)', [oid]);
  await withDescriptor(client, oid, INV_WRITE | INV_READ, (descriptor) =>
    client.query('SELECT pg_catalog.lo_truncate64($1, $2)', [descriptor, size]),
  );
}

/** A descriptor lives until the end of the transaction unless it is closed. */
async function withDescriptor<T>(
  client: Client,
  oid: number,
  mode: number,
  work: (descriptor: number) => Promise<T>,
): Promise<T> {
  const { rows } = await client.query<{ descriptor: number }>(
    'SELECT pg_catalog.lo_open($1, $2) AS descriptor',
    [oid, mode],
  );
  const descriptor = rows[0]?.descriptor ?? -1;
  const result = await work(descriptor);
  await client.query('SELECT pg_catalog.lo_close($1)', [descriptor]);
  return result;
}
