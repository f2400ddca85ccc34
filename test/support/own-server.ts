import { createServer, type CreateServerOptions, type PostgresServer } from '../../embedded';
import { choosePort } from '../../embedded/ports';

/** Behind those that a server looks for by itself. */
const FIRST_PORT = 15_600;
const PORTS_PER_WORKER = 100;

/** A server of one test file's own. No other file's server takes its port while this one is being restarted. */
export async function createOwnServer(options: CreateServerOptions): Promise<PostgresServer> {
  const worker = Number(process.env['JEST_WORKER_ID'] ?? 1);
  const port = await choosePort(undefined, FIRST_PORT + worker * PORTS_PER_WORKER);
  return await createServer({ ...options, port });
}
