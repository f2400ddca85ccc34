import { makeTelemetryFilterString, Runtime, type LogEntry } from '@temporalio/worker';
import pino from 'pino';

export interface RuntimeOptions {
  /** `error`, `warn`, `info` or `debug`. Default `info`. */
  logLevel?: LogLevel;
  /** `host:port` of the Prometheus endpoint; absent: none. */
  metricsAddress?: string;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

let installed = false;

/** Logs as JSON lines on stderr, metrics for Prometheus. Once in a process, before any connection. */
export function installRuntime({ logLevel = 'info', metricsAddress }: RuntimeOptions): void {
  if (installed) return;
  installed = true;
  const logger = pino({ level: logLevel }, pino.destination(2));
  const levels = { TRACE: 'debug', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  const log = (level: LogEntry['level'], message: string, meta?: object) =>
    logger[levels[level]](meta ?? {}, message);
  Runtime.install({
    logger: {
      log,
      trace: (message, meta) => log('TRACE', message, meta),
      debug: (message, meta) => log('DEBUG', message, meta),
      info: (message, meta) => log('INFO', message, meta),
      warn: (message, meta) => log('WARN', message, meta),
      error: (message, meta) => log('ERROR', message, meta),
    },
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(metricsAddress === undefined ? {} : { metrics: { prometheus: { bindAddress: metricsAddress } } }),
    },
  });
}
