import type { Rule, ServerContext } from '../rule';

export const clientTools: Rule<ServerContext> = {
  id: 'client-tools',
  holds: 'The worker has a pg_dump that is new enough for the source.',
  async check({ findPgDump, source, target }) {
    await findPgDump({ sourceMajor: source.version.major, targetMajor: target.version.major });
    return [];
  },
};
