import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresServer, ServerSettings } from '../../embedded';
import { createOwnServer } from './own-server';
import { testAddress, useServerAt, type Major } from './servers';

/** A server that runs in place of the one of its major that the test files share: for what harms whoever else uses it. */
export class StandIn {
  private constructor(
    readonly server: PostgresServer,
    private readonly major: Major,
    private readonly root: string,
    private readonly sharedPort: number,
  ) {}

  static async start(
    major: Major,
    settings: ServerSettings = {},
    initdbArgs: string[] = [],
  ): Promise<StandIn> {
    const root = mkdtempSync(join(tmpdir(), 'flexlift-stand-in-'));
    // the server's user passes through it
    chmodSync(root, 0o711);
    const server = await createOwnServer({ major, directory: join(root, 'server'), settings, initdbArgs });
    await server.start();
    const { port } = testAddress(major);
    useServerAt(major, server.port);
    return new StandIn(server, major, root, port);
  }

  async remove(): Promise<void> {
    useServerAt(this.major, this.sharedPort);
    await this.server.remove();
    rmSync(this.root, { recursive: true, force: true });
  }
}
