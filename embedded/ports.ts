import getPort from 'get-port';
import { connect, createServer } from 'node:net';

/** All that is embedded listens here and nowhere else. */
export const LOCALHOST = '127.0.0.1';

/** How many ports from the first one on are tried before any free one is taken. */
const RANGE = 100;

/** `previous` where it is free, else the first free port from `first` on, else any free one. */
export async function choosePort(previous: number | undefined, first: number): Promise<number> {
  // get-port itself won't give the same port twice within half a minute, which a restart needs.
  if (previous !== undefined && (await isFree(previous))) return previous;
  return getPort({ host: LOCALHOST, port: getPort.makeRange(first, first + RANGE - 1) });
}

/** Whether a server could listen at the port of this machine. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: LOCALHOST, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Whether a program accepts connections at the port of this machine. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOCALHOST, port, timeout: 1_000 });
    const answer = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  });
}
