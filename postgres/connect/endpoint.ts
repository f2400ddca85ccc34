import type { ServerAddress } from '../../contract';

export type Side = 'source' | 'target';

/** One side of a migration, with all that a connection to it needs. */
export interface Endpoint {
  side: Side;
  address: ServerAddress;
  /** Resolves the reference anew; called at every connect. `undefined`: the server asks for none. */
  resolvePassword: () => Promise<string | undefined>;
  /** At most 63 bytes; see {@link ../connect/application-name}. */
  applicationName: string;
  /** Milliseconds. */
  connectTimeout: number;
  /** A server that has sent nothing for so long is asked whether it is at work. Milliseconds, default 60 s. */
  silence?: number;
}

export function serverName(address: { host: string; port: number }): string {
  return `${address.host}:${address.port}`;
}
