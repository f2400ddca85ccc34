import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  type ConnectionOptions,
} from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { endCallsWith } from './closing-calls';
import { describeTemporalFailure } from './temporal-failure';

/** Where Temporal is. What is absent comes from the standard `TEMPORAL_*` environment and profile file. */
export interface TemporalOptions {
  /** `host:port`. Default `localhost:7233`. */
  address?: string;
  /** Default `default`. */
  namespace?: string;
  apiKey?: string;
  tls?: ConnectionOptions['tls'];
  /** The profile of the file `temporal.toml`. Default `TEMPORAL_PROFILE`, else `default`. */
  profile?: string;
}

export interface TemporalConnection {
  connection: Connection;
  client: Client;
  /** `host:port`. */
  address: string;
  namespace: string;
  /** Aborted when it is closed; calls that wait for their answer end then. */
  closed: AbortSignal;
  close(): Promise<void>;
}

/** @throws FlexliftError TemporalUnreachable */
export async function connectTemporal(options: TemporalOptions = {}): Promise<TemporalConnection> {
  const configured = loadClientConnectConfig({ profile: options.profile });
  const { metadata, ...fromProfile } = configured.connectionOptions;
  const address = options.address ?? fromProfile.address ?? 'localhost:7233';
  const namespace = options.namespace ?? configured.namespace ?? 'default';
  const closing = new AbortController();
  try {
    const connection = await Connection.connect({
      address,
      tls: options.tls ?? fromProfile.tls,
      apiKey: options.apiKey ?? fromProfile.apiKey,
      metadata,
      connectTimeout: '10s',
      interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions()), endCallsWith(closing.signal)],
    });
    return {
      connection,
      client: new Client({ connection, namespace }),
      address,
      namespace,
      closed: closing.signal,
      close: async () => {
        closing.abort();
        await connection.close();
      },
    };
  } catch (error) {
    throw describeTemporalFailure(error, { address, namespace }) ?? error;
  }
}
