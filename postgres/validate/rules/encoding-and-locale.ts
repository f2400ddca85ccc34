import type { MigrationRequest } from '../../../contract';
import type { DatabaseProperties } from '../../catalog';
import { databaseUsedAsItIs } from '../database-used-as-it-is';
import { hasIcu, hasLibcLocale } from '../probe-locale';
import { failed, succeeded, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';

export const encoding: Rule<DatabaseContext> = {
  id: 'encoding',
  holds: "The target can store the source's encoding.",
  async check(context) {
    const { properties, request, target } = context;
    const existing = await databaseUsedAsItIs(context);
    if (existing !== undefined) return compareEncodings(properties.encoding, existing.encoding, request);
    const { rows } = await target.client.query<{ known: boolean }>(
      'SELECT pg_catalog.pg_char_to_encoding($1) >= 0 AS known',
      [properties.encoding],
    );
    if (rows[0]?.known === true) return [succeeded(`The encoding is ${properties.encoding}.`)];
    return [
      failed(
        `The target does not know the source's encoding ${properties.encoding}.`,
        'Create the empty target database with encoding UTF8 yourself, and start the migration with --no-compare.',
      ),
    ];
  },
};

function compareEncodings(source: string, target: string, { compare }: MigrationRequest): Verdict[] {
  if (source === target) return [];
  if (target === 'UTF8' && source !== 'SQL_ASCII') {
    if (compare) {
      return [
        failed(
          `The target database exists with encoding UTF8, the source has ${source}: rows are compared by the bytes of one encoding.`,
          'Drop the empty target database, so that it is made with the encoding of the source, or start the migration with --no-compare: texts are converted then.',
        ),
      ];
    }
    return [
      warning(
        `The target database exists with encoding UTF8, the source has ${source}: texts are converted.`,
        'Drop the empty target database if it is to have the encoding of the source.',
      ),
    ];
  }
  return [
    failed(
      `The target database exists with encoding ${target}, which cannot hold all that ${source} can.`,
      'Drop the empty target database, so that it is made with the encoding of the source.',
    ),
  ];
}

export const locale: Rule<DatabaseContext> = {
  id: 'locale',
  holds: "The target has the source's locale.",
  async check(context) {
    const { properties, target } = context;
    const existing = await databaseUsedAsItIs(context);
    if (existing !== undefined) return compareLocales(properties, existing);
    const remedy =
      'Install the locale on the target, or create the empty target database with a locale of your choice: it is used as it is.';
    const names = new Set([properties.collate, properties.ctype]);
    for (const name of names) {
      if (await hasLibcLocale(target.client, name)) continue;
      return [failed(`The target has no locale ${JSON.stringify(name)}.`, remedy)];
    }
    if (properties.provider === 'icu' && !(await hasIcu(target.client))) {
      return [failed('The source sorts by ICU, and the target was built without it.', remedy)];
    }
    return [succeeded(`The locale is ${describeLocale(properties)}.`)];
  },
};

function compareLocales(source: DatabaseProperties, target: DatabaseProperties): Verdict[] {
  const [ours, theirs] = [describeLocale(source), describeLocale(target)];
  if (ours === theirs) return [];
  return [
    warning(
      `The target database exists with locale ${theirs}, the source has ${ours}: texts may sort in another order.`,
      'Drop the empty target database if it is to have the locale of the source.',
    ),
  ];
}

function describeLocale({ provider, locale: name, collate, ctype }: DatabaseProperties): string {
  const libc = collate === ctype ? collate : `${collate}/${ctype}`;
  return provider === 'libc' ? `${libc} (libc)` : `${name ?? libc} (${provider})`;
}
