/**
 * A condition on a row of `pg_index` and that of its table in `pg_class`: pg_dump writes the index. One that a CREATE INDEX
 * CONCURRENTLY has left invalid it passes over (`getIndexes` of src/bin/pg_dump/pg_dump.c).
 */
export function isDumpedIndex(index: string, table: string): string {
  return `(${index}.indisvalid OR ${table}.relkind = 'p') AND ${index}.indisready`;
}
