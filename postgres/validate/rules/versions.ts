import { failed, succeeded, type Rule, type ServerContext } from '../rule';

const OLDEST = 11;
const NEWEST = 18;

export const sourceVersion: Rule<ServerContext> = {
  id: 'source-version',
  holds: 'The source has a supported version.',
  check({ source: { version } }) {
    if (version.major >= OLDEST && version.major <= NEWEST) {
      return Promise.resolve([succeeded(`The source is PostgreSQL ${version.major}.`)]);
    }
    return Promise.resolve([
      failed(
        `The source is PostgreSQL ${version.text}; supported are ${OLDEST} to ${NEWEST}.`,
        version.major < OLDEST
          ? `Upgrade the source to ${OLDEST} or newer first.`
          : 'Use a newer release of flexlift.',
      ),
    ]);
  },
};

export const targetVersion: Rule<ServerContext> = {
  id: 'target-version',
  holds: "The target's version is not below the source's.",
  check({ source, target: { version } }) {
    if (version.major < source.version.major) {
      const message = `The target is PostgreSQL ${version.major}, older than the source's ${source.version.major}.`;
      return Promise.resolve([failed(message, `Use a target of ${source.version.major} or newer.`)]);
    }
    if (version.major > NEWEST) {
      const message = `The target is PostgreSQL ${version.text}; supported are versions up to ${NEWEST}.`;
      return Promise.resolve([failed(message, 'Use a newer release of flexlift.')]);
    }
    return Promise.resolve([succeeded(`The target is PostgreSQL ${version.major}.`)]);
  },
};
