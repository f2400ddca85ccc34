import type { Properties } from '../../compare';

type Objects = Map<string, Properties>;

const COLUMN = /^column (".*")\.("(?:[^"]|"")*")$/s;
const TABLE = /^table (".*)$/s;

/**
 * Columns and tables that are gone to those that came in their stead, where there is one alone that is like it: a column
 * of the same table with the same properties, a table with the same columns. A catalog without oids can tell no more.
 */
export function renamedObjects(before: Objects, now: Objects): Map<string, string> {
  const gone = [...before.keys()].filter((identity) => !now.has(identity));
  const come = [...now.keys()].filter((identity) => !before.has(identity));
  const renamed = new Map<string, string>();
  if (gone.length === 0 || come.length === 0) return renamed;
  const [columnsBefore, columnsNow] = [columnsByTable(before), columnsByTable(now)];
  const wereLike = group(gone, (identity) => likeness(identity, before, columnsBefore));
  const areLike = group(come, (identity) => likeness(identity, now, columnsNow));
  for (const [like, were] of wereLike) {
    const [was, ...moreGone] = were;
    const [is, ...moreCome] = areLike.get(like) ?? [];
    if (was !== undefined && is !== undefined && moreGone.length + moreCome.length === 0)
      renamed.set(was, is);
  }
  return renamed;
}

/** Equal for what may be the same thing under another name; `undefined`: not a table or a column. */
function likeness(identity: string, objects: Objects, columns: Map<string, string[]>): string | undefined {
  const properties = sorted(objects.get(identity) ?? {});
  const [, table] = COLUMN.exec(identity) ?? [];
  if (table !== undefined) return JSON.stringify(['column', table, properties]);
  const [, name] = TABLE.exec(identity) ?? [];
  const own = name === undefined ? [] : (columns.get(name) ?? []);
  // tables without a column are all alike
  return own.length === 0 ? undefined : JSON.stringify(['table', properties, own.sort()]);
}

function columnsByTable(objects: Objects): Map<string, string[]> {
  const columns = new Map<string, string[]>();
  for (const [identity, properties] of objects) {
    const [, table, column] = COLUMN.exec(identity) ?? [];
    if (table === undefined) continue;
    const text = JSON.stringify([column, sorted(properties)]);
    const list = columns.get(table);
    if (list === undefined) columns.set(table, [text]);
    else list.push(text);
  }
  return columns;
}

function sorted(properties: Properties): [string, string][] {
  return Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1));
}

function group(identities: string[], key: (identity: string) => string | undefined): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const identity of identities) {
    const name = key(identity);
    if (name === undefined) continue;
    const known = groups.get(name);
    if (known === undefined) groups.set(name, [identity]);
    else known.push(identity);
  }
  return groups;
}
