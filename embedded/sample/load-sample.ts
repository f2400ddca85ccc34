import type { Client } from 'pg';
import { mapPostgresError, serverName, type Endpoint } from '../../postgres/connect';
import {
  createDatabase,
  createSampleRoles,
  dropDatabases,
  prepareServer,
  sampleEndpoint,
  withWritableSession,
  type SampleServer,
} from './sample-databases';
import { readSampleFile, SAMPLE_FOLDERS, sampleFiles } from './sample-files';

/** One file of the sample is in. */
export interface SampleProgress {
  database: string;
  /** Its path under `embedded/sample`, e.g. `shop/14-events.sql`. */
  file: string;
  filesDone: number;
  /** Of both databases. */
  files: number;
}

export interface LoadSampleOptions {
  address: SampleServer;
  /** Tables, indexes and large objects of both databases together, about; 5 more are there at any size. */
  megabytes: number;
  /** Drops databases of these names first, sessions in them included. Default false: they are an error. */
  replace?: boolean;
  /** Goes before the names `shop` and `archive_latin1`. Default none. */
  prefix?: string;
  signal?: AbortSignal;
  onProgress?: (progress: SampleProgress) => void;
}

export interface LoadedSample {
  /** The UTF-8 one, then the LATIN1 one. */
  databases: string[];
}

interface PlannedDatabase {
  name: string;
  files: string[];
}

/** How long the databases of a failed load may take to go. */
const CLEANUP_MILLISECONDS = 30_000;

/**
 * Fills a server (11 or newer) with the sample: for the same size the same rows at every load, whatever the major. Each
 * file is a transaction. What a failed load has made of the two databases is dropped again; the roles stay.
 *
 * @throws FlexliftError `TargetNotEmpty` where a database of that name exists and `replace` is not set; else what the
 * server throws, with the file as its object.
 */
export async function loadSample(options: LoadSampleOptions): Promise<LoadedSample> {
  const { address, megabytes, replace = false, prefix = '', onProgress } = options;
  const { signal = new AbortController().signal } = options;
  const endpoint = sampleEndpoint(address);
  const samples = SAMPLE_FOLDERS.map((folder) => ({ folder, name: `${prefix}${folder}` }));

  const major = await prepareServer(endpoint, samples, replace, signal);
  await createSampleRoles({ address, signal });
  const filesOf = await Promise.all(samples.map(({ folder }) => sampleFiles(folder, major)));
  const progress = { filesDone: 0, files: filesOf.flat().length };

  const created: string[] = [];
  try {
    for (const [index, sample] of samples.entries()) {
      await createDatabase(endpoint, sample, major, signal);
      created.push(sample.name);
      const planned = { name: sample.name, files: filesOf[index] ?? [] };
      await fillDatabase(endpoint, planned, megabytes, signal, (file) => {
        progress.filesDone += 1;
        onProgress?.({ database: sample.name, file, ...progress });
      });
    }
  } catch (error) {
    // the caller's signal may be what stopped the load
    await dropDatabases(endpoint, created, AbortSignal.timeout(CLEANUP_MILLISECONDS)).catch(() => undefined);
    throw error;
  }
  return { databases: created };
}

async function fillDatabase(
  endpoint: Endpoint,
  { name, files }: PlannedDatabase,
  megabytes: number,
  signal: AbortSignal,
  onFile: (file: string) => void,
): Promise<void> {
  const helpers = await readSampleFile('helpers.sql');
  await withWritableSession(endpoint, name, signal, async (client) => {
    await client.query(`SELECT pg_catalog.set_config('sample.megabytes', $1, false)`, [String(megabytes)]);
    await client.query(helpers);
    for (const file of files) {
      await runFile(client, file).catch((error: unknown) => {
        const place = { side: endpoint.side, server: serverName(endpoint.address), database: name };
        throw mapPostgresError(error, { ...place, object: file });
      });
      onFile(file);
    }
  });
}

async function runFile(client: Client, file: string): Promise<void> {
  const sql = await readSampleFile(file);
  await client.query('BEGIN');
  await client.query(sql);
  await client.query('COMMIT');
}
