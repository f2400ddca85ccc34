import type { Catalog, Properties } from './catalog-snapshot';

type Objects = Map<string, Properties>;

/** What the majors themselves do differently, though nobody changed anything. */
interface VersionRule {
  name: string;
  /** The rule is for pairs with one side before this major. */
  since: number;
  apply: (sides: { major: number; objects: Objects }[]) => void;
}

const RULES: VersionRule[] = [
  {
    // from 15 on PUBLIC creates nothing in schema public by default: a source that never changed it gets that
    name: 'privileges-of-public',
    since: 15,
    apply: (sides) => {
      const identity = 'privileges of schema "public"';
      const unchanged = sides.every(
        ({ major, objects }) =>
          objects.get(identity)?.privileges === (major < 15 ? PUBLIC_BEFORE_15 : PUBLIC_FROM_15),
      );
      if (unchanged) for (const { objects } of sides) objects.delete(identity);
    },
  },
  {
    // MAINTAIN is a privilege on tables from 17 on; a GRANT ALL of an older source includes it there
    name: 'maintain-privilege',
    since: 17,
    apply: (sides) => {
      for (const { objects } of sides) {
        for (const [identity, properties] of objects) {
          if (properties.privileges !== undefined && /^(default )?privileges of /.test(identity)) {
            properties.privileges = withoutMaintain(properties.privileges);
          }
        }
      }
    },
  },
];

const PUBLIC_FROM_15 = '<owner>: CREATE, <owner>: USAGE, PUBLIC: USAGE';
const PUBLIC_BEFORE_15 = '<owner>: CREATE, <owner>: USAGE, PUBLIC: CREATE, PUBLIC: USAGE';

function withoutMaintain(privileges: string): string {
  const grants = privileges.split(', ');
  return grants.filter((grant) => !/: MAINTAIN( WITH GRANT OPTION)?$/.test(grant)).join(', ');
}

/** Both catalogs' objects as the rules for this pair of majors leave them; the catalogs stay as they were read. */
export function acrossMajors(source: Catalog, target: Catalog): [Objects, Objects] {
  const rules = RULES.filter((rule) => source.major < rule.since !== target.major < rule.since);
  const [a, b] = [copy(source.objects), copy(target.objects)];
  const sides = [
    { major: source.major, objects: a },
    { major: target.major, objects: b },
  ];
  for (const rule of rules) rule.apply(sides);
  return [a, b];
}

function copy(objects: Objects): Objects {
  return new Map([...objects].map(([identity, properties]) => [identity, { ...properties }]));
}
