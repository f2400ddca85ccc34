import { checkExtension, type ExtensionServer } from '../../../postgres/validate/rules/extensions';

const cron = { name: 'pg_cron', version: '1.6' };

function server(installed: boolean): ExtensionServer {
  return {
    offers: new Map([['pg_cron', { ...cron, superuser: false, installed }]]),
    preloaded: new Set(['pg_cron']),
    cronDatabase: 'postgres',
    provider: true,
  };
}

test.each([
  ['in its database', 'postgres', false, []],
  ['elsewhere', 'app', false, ['Failed']],
  ['elsewhere, where it stands', 'app', true, []],
])('pg_cron %s', (_what, database, installed, states) => {
  const verdicts = checkExtension(cron, { server: server(installed), database, superuser: false });
  expect(verdicts.map(({ state }) => state)).toEqual(states);
});
