import type { Catalog, Properties } from '../../compare';

const OF_THE_DATABASE =
  /^(database|comment on database|(owner|privileges) of database|settings of (the database|role .* in the database))$/s;

/** It belongs to the database, not to its schemas: a fence sets some, and the release gives and proves them. */
export function isOfTheDatabase(identity: string): boolean {
  return OF_THE_DATABASE.test(identity);
}

/** @param map undefined: the object is left out */
export function mapObjects(
  { major, objects }: Catalog,
  map: (identity: string, properties: Properties) => Properties | undefined,
): Catalog {
  const mapped = [...objects].flatMap(([identity, properties]): [string, Properties][] => {
    const kept = map(identity, properties);
    return kept === undefined ? [] : [[identity, kept]];
  });
  return { major, objects: new Map(mapped) };
}

export function withoutDatabase(catalog: Catalog): Catalog {
  return mapObjects(catalog, (identity, properties) => (isOfTheDatabase(identity) ? undefined : properties));
}

/** A column's place changes only with a column before it that goes, which tells more. */
export function withoutPositions(catalog: Catalog): Catalog {
  return mapObjects(catalog, (identity, properties) =>
    identity.startsWith('column ') ? without(properties, ['position']) : properties,
  );
}

/** A type may stand in any table. */
export function isOfAnyTable(identity: string): boolean {
  return /^(type|domain) |^constraint .* on domain /s.test(identity);
}

/** The quoted name of the table that it is, or that it is a column or a constraint of. */
export function tableOf(identity: string): string | undefined {
  return (
    /^table (".*)$/s.exec(identity)?.[1] ??
    /^column (".*)\."(?:[^"]|"")*"$/s.exec(identity)?.[1] ??
    /^constraint "(?:[^"]|"")*" on (".*)$/s.exec(identity)?.[1]
  );
}

const SET_LATE = ['row security', 'forced row security', 'replica identity'];

/** Of a table: what it gets at the cutover. */
export function withoutLate(properties: Properties): Properties {
  return without(properties, SET_LATE);
}

/** A foreign key may wait for the cutover; what is not valid always does. */
export function isLateConstraint(identity: string, properties: Properties): boolean {
  if (!identity.startsWith('constraint ')) return false;
  return properties['not valid'] === 'true' || properties['~definition']?.startsWith('FOREIGN KEY') === true;
}

/** A view that needs a key (GROUP BY) is made when the key is there, and with its columns until then. */
export function isColumnOfView(identity: string, objects: Catalog['objects']): boolean {
  const relation = tableOf(identity);
  return objects.has(`view ${relation}`) || objects.has(`materialized view ${relation}`);
}

function without(properties: Properties, names: string[]): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name)));
}
