import { planSettings, type SettingRule } from '../../database';
import { inTransaction } from '../../ledger';
import { enumerate, warning, type DatabaseContext, type Rule } from '../rule';

const REASONS: Record<SettingRule, string> = {
  'tablespace-setting': 'name tablespaces',
  'unknown-setting': "are unknown to the target's version",
  'not-permitted': "may not be set by the target's user",
  'role-not-alterable': "belong to roles that the target's user may not alter",
  'value-refused': 'have a value that the target refuses',
};

export const settings: Rule<DatabaseContext> = {
  id: 'settings',
  holds: "All settings of the source's database can be set on the target.",
  async check({ properties, target }) {
    const { skipped } = await inTransaction(target.client, () =>
      planSettings(target.client, properties.settings),
    );
    return (Object.keys(REASONS) as SettingRule[]).flatMap((rule) => {
      const names = skipped.filter((each) => each.rule === rule).map((each) => each.setting.name);
      if (names.length === 0) return [];
      return [
        warning(
          `Settings of the database are left out, for they ${REASONS[rule]}: ${enumerate(names)}.`,
          'Set them on the target after the migration, if they are needed there.',
        ),
      ];
    });
  },
};
