import type { ServerContext } from '../../../postgres/validate/rule';
import { snapshotAge } from '../../../postgres/validate/rules/snapshot-age';
import { withSession } from '../../support/servers';
import { StandIn } from '../../support/stand-in';

const SOURCE = 14;

it('refuses a source that gives snapshots up', async () => {
  const standIn = await StandIn.start(SOURCE, { old_snapshot_threshold: '90min' });
  try {
    const found = await withSession(SOURCE, 'postgres', (client) =>
      snapshotAge.check({ source: { client } } as ServerContext),
    );
    expect(found).toMatchObject([
      { state: 'Failed', message: expect.stringContaining('after 90min (old_snapshot_threshold)') as string },
    ]);
  } finally {
    await standIn.remove();
  }
});
