import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Link {
  client: Socket;
  server: Socket;
  /** Its bytes are swallowed, and neither end hears of the other's. */
  dead: boolean;
  /** Who was heard last. */
  speaker?: Socket;
}

/** A network between a client and a server that a test can break. */
export class TcpProxy {
  /** How often a client spoke after its server had: round trips, of links that do one thing after the other. */
  roundTrips = 0;
  private readonly links = new Set<Link>();
  private state: 'open' | 'cut' | 'stalled' = 'open';
  private latency = 0;

  private constructor(
    private readonly listener: Server,
    private target: { host: string; port: number },
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  static async start(target: { host: string; port: number }): Promise<TcpProxy> {
    const listener = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new TcpProxy(listener, target);
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** Breaks all connections and refuses new ones. */
  cut(): void {
    this.state = 'cut';
    for (const link of this.links) this.break(link);
  }

  /** All connections, present and new, stay half-open for good: what is sent disappears, and nothing is closed. */
  stall(): void {
    this.state = 'stalled';
    for (const link of this.links) link.dead = true;
  }

  /** New connections go to another server, as a name does after a failover. */
  leadTo(target: { host: string; port: number }): void {
    this.target = target;
  }

  /** New connections get through again; those that were stalled stay dead. */
  reopen(): void {
    this.state = 'open';
  }

  /** From now on every byte takes so many milliseconds, in either direction. */
  delay(milliseconds: number): void {
    this.latency = milliseconds;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.state === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const link: Link = { client, server: connect(this.target), dead: this.state === 'stalled' };
    this.links.add(link);
    this.forward(link, link.client, link.server);
    this.forward(link, link.server, link.client);
  }

  private forward(link: Link, from: Socket, to: Socket): void {
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      if (link.dead) return;
      if (from === link.client && link.speaker === link.server) this.roundTrips += 1;
      link.speaker = from;
      this.later(() => {
        if (link.dead || to.destroyed || to.write(chunk)) return;
        from.pause();
        to.once('drain', () => from.resume());
      });
    });
    from.on('error', () => this.later(() => this.over(link)));
    from.on('end', () => {
      this.later(() => {
        if (!link.dead) to.end();
      });
    });
    from.on('close', () => {
      if (to.destroyed) this.links.delete(link);
    });
  }

  /** Timers of equal length fire in the order they were set, so bytes keep theirs. */
  private later(act: () => void): void {
    if (this.latency === 0) act();
    else setTimeout(act, this.latency);
  }

  private over(link: Link): void {
    if (!link.dead) this.break(link);
  }

  private break(link: Link): void {
    this.links.delete(link);
    link.client.resetAndDestroy();
    link.server.destroy();
  }
}
