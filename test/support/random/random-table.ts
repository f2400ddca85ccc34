import type { KeylessTables } from '../../../contract';
import type { Major } from '../servers';
import { KEY_TYPES, KEYLESS_TYPES } from '../type-catalog';
import { NUMBERED_TYPES, type TableShape } from './shapes';

/** The column that a table is partitioned by. */
export const PART = '"Part ""p"""';

/** At a time, of a table whose rows are searched for. */
const SEARCHED_ROWS = 8;

/** A table of a random schema, and the SQL of its values: they are made of numbers, or of SQL that gives one. */
export class RandomTable {
  readonly name: string;
  readonly shape: TableShape;

  constructor(
    shape: TableShape,
    readonly index: number,
    source: Major,
    keylessTables: KeylessTables,
  ) {
    const there = possible(shape, source);
    this.shape = keylessTables === 'append' ? appendable(there) : there;
    this.name = `public."T ${index} ü""x"`;
  }

  /** So many rows, but few where each change takes a search for its row through all of them. */
  upTo(rows: number): number {
    const isSearched = this.shape.key.length === 0 || /^(full|none|deferrable)/.test(this.shape.identity);
    return isSearched ? Math.min(rows, SEARCHED_ROWS) : rows;
  }

  /** The rows it is to begin with. */
  get firstRows(): number {
    const { key, rows } = this.shape;
    if (key.length === 0 || key.some((type) => type !== 's.deep' && type in NUMBERED_TYPES)) return rows;
    return Math.min(rows, ...key.map((type) => KEY_TYPES[type]?.length ?? 90));
  }

  /** The columns that {@link row} gives values for. */
  get columns(): string {
    return [PART, ...this.keyColumns, 'u', 'r', 'n', 'v', ...this.valueColumns].join(', ');
  }

  get keyList(): string {
    return [...this.keyColumns, ...(this.shape.partitions === 'none' ? [] : [PART])].join(', ');
  }

  row(n: number | string, unique: number | string, m: number | string): string {
    const values = this.shape.values.map((type) => listed(type, `(${m})`));
    return [`(${n}) % 3`, ...this.key(n), unique, 'NULL', m, text(`(${m})`), ...values].join(', ');
  }

  where(n: number): string {
    const { keyColumns } = this;
    if (keyColumns.length === 0) return `n = ${n}`;
    return this.key(n)
      .map((value, at) => `${keyColumns[at]} = ${value}`)
      .join(' AND ');
  }

  /** Assignments that move a row to another key. */
  moved(n: number): string {
    const { keyColumns } = this;
    return [`${PART} = ${n % 4}`, ...this.key(n).map((value, at) => `${keyColumns[at]} = ${value}`)].join(
      ', ',
    );
  }

  /** Assignments of new contents. */
  changed(m: number): string {
    const { values } = this.shape;
    const column = values.length === 0 ? undefined : m % values.length;
    return [
      `n = ${m}`,
      ...(m % 3 === 0 ? [`v = ${text(`(${m})`)}`] : []),
      ...(column === undefined ? [] : [`c${column} = ${listed(values[column] ?? 'text', String(m))}`]),
    ].join(', ');
  }

  private key(n: number | string): string[] {
    return this.shape.key.map((type) => NUMBERED_TYPES[type]?.(`(${n})`) ?? listed(type, `(${n})`, false));
  }

  get keyColumns(): string[] {
    return this.shape.key.map((_, at) => `"K ${at}"`);
  }

  private get valueColumns(): string[] {
    return this.shape.values.map((_, at) => `c${at}`);
  }
}

/** The next thing to it that this server has. */
function possible(shape: TableShape, source: Major): TableShape {
  const isWhole = shape.partitions === 'none';
  const { identity, unique } = shape;
  const hasKey = shape.key.length > 0;
  return {
    ...shape,
    key: shape.key,
    values: shape.values.map((type) => (type === 'jsonpath' && source < 12 ? 'json' : type)),
    generated: shape.generated && source >= 12,
    // neither is to be had with partitions
    unlogged: shape.unlogged && isWhole,
    numbered: isWhole ? shape.numbered : 'no',
    identity:
      !hasKey && identity !== 'full'
        ? 'none'
        : !isWhole && (identity === 'index' || identity === 'deferrable key')
          ? 'primary key'
          : identity,
    unique: !isWhole && (unique === 'expression' || unique === 'exclusion') ? 'immediate' : unique,
  };
}

/**
 * Without what an INSERT can violate on the target alone, where UPDATE and DELETE do not arrive: a table without an
 * identity is stopped by it, see docs/online.md.
 */
function appendable(shape: TableShape): TableShape {
  const { identity } = shape;
  if (identity !== 'none' && identity !== 'deferrable key') return shape;
  return { ...shape, identity: 'none', unique: 'none' };
}

/** One of the type's values, or NULL. */
function listed(type: string, n: string, nullable = true): string {
  const values = KEY_TYPES[type] ?? KEYLESS_TYPES[type] ?? [];
  const cases = values.map((value, at) => `WHEN ${at} THEN '${value.replaceAll("'", "''")}'::${type}`);
  return `CASE ${n} % ${values.length + (nullable ? 1 : 0)} ${cases.join(' ')} END`;
}

/** Every second one goes to TOAST, incompressible as it is. */
function text(m: string): string {
  return `CASE WHEN ${m} % 2 = 0 THEN 't' || ${m}
            ELSE (SELECT string_agg(md5(${m}::text || x), '') FROM generate_series(1, 80) x) END`;
}
