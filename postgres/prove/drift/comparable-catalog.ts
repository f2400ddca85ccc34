import type { Catalog, Properties } from '../../compare';

const OF_THE_DATABASE =
  /^(database|comment on database|(owner|privileges) of database|settings of (the database|role .* in the database))$/s;

/** It belongs to the database, not to its schemas: a fence sets some, and the release gives and proves them. */
export function isOfTheDatabase(identity: string): boolean {
  return OF_THE_DATABASE.test(identity);
}

export function withoutDatabase({ major, objects }: Catalog): Catalog {
  return { major, objects: new Map([...objects].filter(([identity]) => !isOfTheDatabase(identity))) };
}

/** A column's place changes only with a column before it that goes, which tells more. */
export function withoutPositions({ major, objects }: Catalog): Catalog {
  const unplaced = [...objects].map(([identity, properties]): [string, Properties] => [
    identity,
    identity.startsWith('column ') ? without(properties, ['position']) : properties,
  ]);
  return { major, objects: new Map(unplaced) };
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
  const [, relation] = /^column (".*)\."(?:[^"]|"")*"$/s.exec(identity) ?? [];
  return objects.has(`view ${relation}`) || objects.has(`materialized view ${relation}`);
}

function without(properties: Properties, names: string[]): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name)));
}
