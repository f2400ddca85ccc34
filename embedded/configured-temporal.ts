import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { FlexliftError } from '../contract';

/** A Temporal server that the user has configured. */
export interface ConfiguredTemporal {
  /** `host:port`. */
  address: string;
  /** Default `default`. */
  namespace: string;
  /** For `Connection.connect` and `NativeConnection.connect`; may hold an API key and TLS keys. */
  connectionOptions: ClientConnectConfig['connectionOptions'];
}

/**
 * The Temporal server that the standard environment (`TEMPORAL_ADDRESS`, `TEMPORAL_PROFILE`,
 * `TEMPORAL_CONFIG_FILE`…) or its profile file names; undefined where neither has an address. Does not connect.
 * @throws FlexliftError `InvalidRequest` where the file can't be read or lacks the chosen profile.
 */
export function configuredTemporal(env: NodeJS.ProcessEnv = process.env): ConfiguredTemporal | undefined {
  const { connectionOptions, namespace } = load(env);
  const address = connectionOptions.address;
  if (address === undefined || address === '') return undefined;
  return { address, namespace: namespace ?? 'default', connectionOptions };
}

function load(env: NodeJS.ProcessEnv): ClientConnectConfig {
  const variables = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  try {
    return loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(variables) });
  } catch (cause) {
    // The further lines of a TOML error quote the file, which may hold an API key: no cause either.
    const [reason] = (cause as Error).message.split('\n');
    throw new FlexliftError({
      code: 'InvalidRequest',
      sentence: `The configuration of the Temporal connection can't be used: ${reason}.`,
      remedy: 'Correct the TEMPORAL_* variables or the profile file they point to.',
    });
  }
}
