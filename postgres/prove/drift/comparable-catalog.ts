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

export function without(properties: Properties, names: string[]): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name)));
}
