import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAs, serverUser, writeAs } from '../../../embedded/server-user';
import { withConnection } from '../../../postgres/connect';
import { parseLsn } from '../../../postgres/replicate/lsn';
import { openChangeStream, type ChangeStream } from '../../../postgres/replicate/pgoutput';
import type { KnownSource } from '../../../postgres/replicate/pgoutput/identify-source';
import { createOwnServer, ownEndpoint } from '../../support/own-server';
import type { Major } from '../../support/servers';
import { failureOf, failureWith } from './stream-fixture';

const SLOT = 'flexlift_timeline';
const { signal } = new AbortController();

it.each<[Major]>([[11], [14], [15], [18]])(
  'a promoted server of %i says where it left its timeline',
  async (major) => {
    const root = mkdtempSync(join(tmpdir(), 'flexlift-timeline-'));
    chmodSync(root, 0o711);
    const settings = { fsync: false, wal_level: 'logical' };
    const server = await createOwnServer({ major, directory: join(root, 'server'), settings });
    const endpoint = () => ownEndpoint(server, 'flexlift-timeline');
    const run = (sql: string) =>
      withConnection({ ...endpoint(), side: 'target' }, 'postgres', signal, (client) =>
        client.query<{ is: string }>(sql),
      );
    const text = async (sql: string) => (await run(`SELECT (${sql})::text AS is`)).rows[0]?.is ?? '';
    const streams: ChangeStream[] = [];
    const openAt = async (lsn: string, known: KnownSource) => {
      const stream = await withConnection(endpoint(), 'postgres', signal, (session) =>
        openChangeStream({
          ...{
            session,
            endpoint: endpoint(),
            database: 'postgres',
            slot: SLOT,
            publications: ['pub'],
            signal,
          },
          from: parseLsn(lsn),
          known,
        }),
      );
      streams.push(stream);
      return stream;
    };
    try {
      await server.start();
      await run('CREATE PUBLICATION pub');
      const made = await text(`SELECT lsn FROM pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
      const systemIdentifier = await text('SELECT system_identifier FROM pg_control_system()');
      await server.stop();
      const user = await serverUser();
      const data = join(server.directory, 'data');
      const [file, content] =
        major < 12 ? ['recovery.conf', `standby_mode = 'on'\n`] : ['standby.signal', ''];
      writeAs(user, join(data, file), content);
      await server.start();
      await runAs(user, join(server.binaries.directory, 'pg_ctl'), ['promote', '--wait', '--pgdata', data]);

      const known = (...held: [timeline: number, lsn: string][]): KnownSource => ({
        systemIdentifier,
        held: held.map(([timeline, lsn]) => ({ timeline, lsn: parseLsn(lsn) })),
      });
      const stream = await openAt(made, known([1, made]));
      expect(stream.timeline).toBe(2);
      await stream.close();
      await run('CREATE TABLE public.more ()');
      const later = await text('SELECT pg_current_wal_flush_lsn()');
      const lost = await failureOf(openAt(later, known([1, later])));
      expect(lost).toEqual(failureWith('SourceRewound'));
      expect(lost.fields.sentence).toMatch(/its timeline 2 left timeline 1 at/);
      await (await openAt(later, known([2, later]))).close();
      // copies are ahead of the stream: what was copied before the failover may be lost, what was copied after it is not
      await (await openAt(made, known([1, made], [2, later]))).close();
      for (const wrong of [
        known([1, made], [1, later]),
        known([3, made]),
        known([2, 'FF/0']),
        { ...known(), systemIdentifier: '1' },
      ]) {
        expect(await failureOf(openAt(made, wrong))).toEqual(failureWith('SourceRewound'));
      }
    } finally {
      await Promise.all(streams.map((stream) => stream.close()));
      await server.remove();
      rmSync(root, { recursive: true, force: true });
    }
  },
);
