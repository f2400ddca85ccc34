import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** The program of the process that {@link ./slow-link} starts: `<host> <port> <milliseconds>`. */

const [host = '', port, milliseconds] = process.argv.slice(2);

const listener = createServer({ allowHalfOpen: true }, (client) => {
  const server = connect({ host, port: Number(port), allowHalfOpen: true });
  forward(client, server);
  forward(server, client);
});
listener.listen(0, '127.0.0.1', () => process.send?.((listener.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));

/** Timers of equal length fire in the order they were set, so bytes keep theirs; how many are under way is not bounded. */
function forward(from: Socket, to: Socket): void {
  const later = (act: () => void) => setTimeout(act, Number(milliseconds));
  from.setNoDelay(true);
  from.on('data', (chunk) => {
    later(() => {
      if (!to.destroyed && !to.write(chunk)) from.pause();
    });
  });
  to.on('drain', () => from.resume());
  from.on('end', () => later(() => to.end()));
  from.on('error', () => to.destroy());
}
