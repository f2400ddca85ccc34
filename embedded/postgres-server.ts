import { appendFileSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FlexliftError } from '../contract';
import { logTail } from './log-tail';
import { createCluster, makeServerDirectory } from './postgres-cluster';
import { choosePort, isFree, LOCALHOST } from './ports';
import {
  childrenOf,
  commandLineOf,
  identifyProcess,
  signalProcess,
  waitForEnd,
  type ProcessIdentity,
} from './process-identity';
import { findServerBinaries, type ServerBinaries, type WantedMajor } from './server-binaries';
import { runAs, serverUser, writeAs, type ServerUser } from './server-user';

export type ServerSettings = Record<string, string | number | boolean>;

export interface CreateServerOptions {
  major: WantedMajor;
  /** Absolute; made where it is missing. Holds the cluster, the log and the Unix socket. */
  directory: string;
  /** Default: a free one. */
  port?: number;
  /** Of postgresql.conf, e.g. `{ fsync: false, wal_level: 'logical' }`. */
  settings?: ServerSettings;
  /** Further options of initdb, e.g. `['--data-checksums']`. */
  initdbArgs?: string[];
  /** The superuser's: every connection then needs it. Without, everybody on this machine is trusted. */
  password?: string;
}

/** How pg_ctl stops a server; `immediate` leaves it to be recovered at its next start. */
export type StopMode = 'smart' | 'fast' | 'immediate';

/** What a server's directory says of it, so that a later process can take it over. */
interface ServerFile {
  binaries: ServerBinaries;
  port: number;
  /** The port was asked for, or clients know it already. */
  portIsFixed: boolean;
  settings: ServerSettings;
}

const START_TIMEOUT_SECONDS = 120;
const FIRST_PORT = 15_432;
/** sun_path of a Unix socket's address holds 104 bytes on macOS, 108 on Linux. */
const MAX_SOCKET_PATH = 103;

/**
 * Makes a server's cluster; it is not started yet.
 * @throws FlexliftError `ClientToolFailed` where this machine has no such server or initdb fails.
 */
export async function createServer(options: CreateServerOptions): Promise<PostgresServer> {
  const user = await serverUser();
  const binaries = await findServerBinaries(options.major);
  const port = options.port ?? (await choosePort(undefined, FIRST_PORT));
  await makeServerDirectory(options.directory, user);
  const data = join(options.directory, 'data');
  await createCluster(data, { binaries, initdbArgs: options.initdbArgs, password: options.password });
  appendFileSync(join(data, 'postgresql.conf'), `\ninclude = 'flexlift.conf'\n`);
  const portIsFixed = options.port !== undefined;
  return new PostgresServer(options.directory, user, {
    binaries,
    port,
    portIsFixed,
    settings: options.settings ?? {},
  });
}

/** The server that was made in `directory` before; undefined where none was. */
export async function openServer(directory: string): Promise<PostgresServer | undefined> {
  const file = join(directory, 'server.json');
  if (!existsSync(file)) return undefined;
  return new PostgresServer(
    directory,
    await serverUser(),
    JSON.parse(readFileSync(file, 'utf8')) as ServerFile,
  );
}

/** A PostgreSQL server of our own, on 127.0.0.1 only, with the superuser `postgres`. It survives this process. */
export class PostgresServer {
  readonly host = LOCALHOST;

  constructor(
    readonly directory: string,
    private readonly user: ServerUser | undefined,
    private readonly file: ServerFile,
  ) {}

  get port(): number {
    return this.file.port;
  }

  get binaries(): ServerBinaries {
    return this.file.binaries;
  }

  get logFile(): string {
    return join(this.directory, 'log');
  }

  /** The folder of the Unix socket; undefined where the directory's path is too long to hold one. */
  get socketDirectory(): string | undefined {
    const path = join(this.directory, `.s.PGSQL.${this.port}`);
    return Buffer.byteLength(path) <= MAX_SOCKET_PATH ? this.directory : undefined;
  }

  get isRunning(): boolean {
    return this.postmaster() !== undefined;
  }

  /**
   * Starts it, if it does not run, and waits until it takes connections; keeps its port from the first start on.
   * @throws FlexliftError `Unreachable` with the end of its log.
   */
  async start(): Promise<void> {
    if (this.isRunning) return;
    const logFrom = existsSync(this.logFile) ? statSync(this.logFile).size : 0;
    this.writeFiles();
    try {
      await this.pgCtl('start', '--log', this.logFile, '--timeout', String(START_TIMEOUT_SECONDS));
    } catch (cause) {
      await this.stop('immediate');
      if (!this.file.portIsFixed && !(await isFree(this.port))) {
        this.file.port = await choosePort(undefined, FIRST_PORT);
        return this.start();
      }
      throw this.startFailure(logFrom, cause);
    }
    this.file.portIsFixed = true;
    this.writeFiles();
  }

  /** Stops it, if it runs, and waits for its end. */
  async stop(mode: StopMode = 'fast'): Promise<void> {
    if (!this.isRunning) return;
    await this.pgCtl('stop', '--mode', mode, '--timeout', String(START_TIMEOUT_SECONDS));
  }

  async restart(mode: StopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Ends all its processes with SIGKILL, as a machine's loss of power would, if it runs. */
  async kill(): Promise<void> {
    const postmaster = this.postmaster();
    if (postmaster === undefined) return;
    // Stopped first: it must not start another process between the listing and its end.
    signalProcess(postmaster, 'SIGSTOP');
    const all = [postmaster, ...childrenOf(postmaster.pid)];
    all.forEach((identity) => signalProcess(identity, 'SIGKILL'));
    await Promise.all(all.map((identity) => waitForEnd(identity, 30_000)));
    // As long as nobody reaps the dead postmaster, the next one would take it for alive.
    const socketLock = join(this.directory, `.s.PGSQL.${this.port}.lock`);
    for (const file of [this.pidFile, socketLock]) rmSync(file, { force: true });
  }

  /** Changes settings; they hold from the next start on. */
  configure(settings: ServerSettings): void {
    Object.assign(this.file.settings, settings);
    this.writeFiles();
  }

  /** Stops it and removes its directory. */
  async remove(): Promise<void> {
    await this.stop('immediate');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get data(): string {
    return join(this.directory, 'data');
  }

  private get pidFile(): string {
    return join(this.data, 'postmaster.pid');
  }

  private pgCtl(command: 'start' | 'stop', ...options: string[]): Promise<void> {
    const program = join(this.binaries.directory, 'pg_ctl');
    return runAs(this.user, program, [command, '--wait', '--silent', '--pgdata', this.data, ...options]);
  }

  private startFailure(logFrom: number, cause: unknown): FlexliftError {
    return new FlexliftError(
      {
        code: 'Unreachable',
        sentence: `PostgreSQL ${this.binaries.version} did not start; ${logTail(this.logFile, logFrom)}.`,
        remedy: `See ${this.logFile} and remove the cause.`,
        server: `${this.host}:${this.port}`,
      },
      { cause },
    );
  }

  private writeFiles(): void {
    const { socketDirectory } = this;
    const settings: ServerSettings = {
      listen_addresses: this.host,
      port: this.port,
      unix_socket_directories: socketDirectory === undefined ? '' : `"${socketDirectory}"`,
      ...this.file.settings,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${quoteSetting(value)}'\n`);
    writeAs(this.user, join(this.data, 'flexlift.conf'), lines.join(''));
    writeAs(this.user, join(this.directory, 'server.json'), JSON.stringify(this.file));
  }

  /** The pid of postmaster.pid may be another process's by now: only one that serves this cluster counts. */
  private postmaster(): ProcessIdentity | undefined {
    if (!existsSync(this.pidFile)) return undefined;
    const pid = Number(readFileSync(this.pidFile, 'utf8').split('\n')[0]);
    return commandLineOf(pid).includes(this.data) ? identifyProcess(pid) : undefined;
  }
}

function quoteSetting(value: string | number | boolean): string {
  return String(value).replaceAll('\\', '\\\\').replaceAll("'", "''");
}
