import * as fc from 'fast-check';
import { KEY_TYPES, KEYLESS_TYPES } from '../type-catalog';

/** Key types of which any number makes a value, some of them equal to another and not the same. */
export const NUMBERED_TYPES: Record<string, (n: string) => string> = {
  int: (n) => n,
  bigint: (n) => `${n}::bigint * 1000000007`,
  text: (n) => `'k"\\,' || ${n}`,
  numeric: (n) => `(${n}::numeric + ('0.' || repeat('0', (random() * 3)::int + 1))::numeric)`,
  'e.citext': (n) => `(CASE WHEN random() < 0.5 THEN 'a' ELSE 'A' END || ${n})::e.citext`,
  float8: (n) => `(CASE WHEN ${n} = 0 AND random() < 0.5 THEN '-0' ELSE ${n}::text END)::float8`,
  'int[]': (n) => `ARRAY[${n}, NULL]`,
  date: (n) => `'2024-01-01'::date + ${n}`,
  uuid: (n) => `md5((${n})::text)::uuid`,
  's.deep': (n) => `(1 + ${n} % 99)::s.deep`,
};

/** A table in all that matters for how its rows are copied and its changes come. */
export interface TableShape {
  /** Types of the catalog; none: no column tells one row from another. */
  key: string[];
  identity: 'primary key' | 'deferrable key' | 'index' | 'full' | 'full and key' | 'none';
  /** Types of the catalog. */
  values: string[];
  partitions: 'none' | 'list' | 'hash' | 'tree';
  unique: 'none' | 'immediate' | 'deferrable' | 'partial' | 'expression' | 'exclusion';
  generated: boolean;
  numbered: 'no' | 'always' | 'by default' | 'serial';
  /** The table by its number, counted round, whose unique value a column refers to. */
  reference: { table: number; onDelete: 'CASCADE' | 'SET NULL' | 'NO ACTION'; isDeferred: boolean } | null;
  unlogged: boolean;
  trigger: 'none' | 'origin' | 'always' | 'replica';
  droppedColumn: boolean;
  /** At the beginning; fewer where the key's type has fewer values. */
  rows: number;
}

const keyType = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...Object.keys(NUMBERED_TYPES)) },
  { weight: 1, arbitrary: fc.constantFrom(...Object.keys(KEY_TYPES)) },
);

const valueType = fc.constantFrom(...Object.keys(KEY_TYPES), ...Object.keys(KEYLESS_TYPES));

export const tableShape: fc.Arbitrary<TableShape> = fc.record({
  key: fc.oneof(
    { weight: 6, arbitrary: fc.array(keyType, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant<string[]>([]) },
  ),
  identity: fc.constantFrom(
    'primary key',
    'primary key',
    'primary key',
    'primary key',
    'primary key',
    'primary key',
    'deferrable key',
    'index',
    'full',
    'full and key',
    'none',
  ),
  values: fc.array(valueType, { minLength: 0, maxLength: 5 }),
  partitions: fc.constantFrom('none', 'none', 'none', 'list', 'hash', 'tree'),
  unique: fc.constantFrom(
    'none',
    'immediate',
    'immediate',
    'deferrable',
    'partial',
    'expression',
    'exclusion',
  ),
  generated: fc.boolean(),
  numbered: fc.constantFrom('no', 'always', 'by default', 'serial'),
  reference: fc.option(
    fc.record({
      table: fc.nat(3),
      onDelete: fc.constantFrom('CASCADE', 'SET NULL', 'NO ACTION'),
      isDeferred: fc.boolean(),
    }),
  ),
  unlogged: fc.integer({ min: 0, max: 9 }).map((n) => n === 9),
  trigger: fc.constantFrom('none', 'none', 'origin', 'always', 'replica'),
  droppedColumn: fc.boolean(),
  rows: fc.constantFrom(0, 40, 400, 400, 3000),
});
