import * as fc from 'fast-check';
import { ChangedKeys, MOST_KEYS } from '../../../postgres/replicate/apply/changed-keys';
import { MessageWriter } from '../../../postgres/replicate/apply/message-writer';
import { NetEffect } from '../../../postgres/replicate/apply/net-effect';
import { keyOf, keyTexts } from '../../../postgres/replicate/apply/row-key';
import type { TargetTable } from '../../../postgres/replicate/apply/target-table';
import { writeArray, writeCopyRow } from '../../../postgres/replicate/apply/value-text';
import { Tuple, UNCHANGED, type Value } from '../../../postgres/replicate/pgoutput';

const bytes = (value: string | number) => Buffer.from(String(value));
const shown = (value: Value | undefined) =>
  Buffer.isBuffer(value) ? value.toString() : value === null ? null : 'unchanged';

describe('net effect', () => {
  /** Keys and contents of few values; an update may leave its content out. */
  const step = fc.record({
    kind: fc.constantFrom('insert', 'update', 'delete'),
    key: fc.integer({ min: 0, max: 3 }),
    value: fc.integer({ min: 0, max: 9 }),
    unchanged: fc.boolean(),
  });

  test('deletes, updates and inserts leave what the changes one by one would', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 3 })), fc.array(step), (before, steps) => {
        const strictly = new Map(before.map((key) => [key, 'old']));
        const target = new Map(strictly);
        const effect = new NetEffect();
        for (const { kind, key, value, unchanged } of steps) {
          // the source does what it can
          if (strictly.has(key) === (kind === 'insert')) continue;
          const row = Tuple.of([bytes(key), kind === 'update' && unchanged ? UNCHANGED : bytes(value)]);
          expect(effect.add(String(key), kind, row)).toBe(true);
          if (kind === 'delete') strictly.delete(key);
          else if (!row.hasUnchanged) strictly.set(key, String(value));
        }
        const touched = new Set(effect.keys());
        const { deletes, updates, inserts } = effect.take();
        const nameOf = (row: Tuple) => Number(shown(row.value(0)));
        for (const row of deletes) expect(target.delete(nameOf(row))).toBe(true);
        for (const row of updates) {
          expect(target.has(nameOf(row))).toBe(true);
          if (!row.hasUnchanged) target.set(nameOf(row), String(shown(row.value(1))));
        }
        for (const row of inserts) {
          expect(target.has(nameOf(row))).toBe(false);
          target.set(nameOf(row), String(shown(row.value(1))));
        }
        expect(new Map([...target].sort())).toEqual(new Map([...strictly].sort()));
        for (const row of [...deletes, ...updates, ...inserts])
          expect(touched).toContain(String(nameOf(row)));
        expect(effect.take()).toEqual({ deletes: [], updates: [], inserts: [] });
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['insert', 'insert'],
    ['update', 'insert'],
    ['delete', 'update'],
    ['delete', 'delete'],
  ] as const)('%s and then %s of one row is a surprise', (first, second) => {
    const effect = new NetEffect();
    expect(effect.add('k', first, Tuple.of([bytes(1)]))).toBe(true);
    expect(effect.add('k', second, Tuple.of([bytes(1)]))).toBe(false);
  });
});

const value = fc.option(
  fc.string({
    unit: fc.constantFrom('a', '"', '\\', ',', '{', '}', '\t', '\n', '\r', 'N', '.', 'é', '😀', ' '),
  }),
  { nil: null },
);

/** What the encoder writes, in one message. */
function written(write: (writer: MessageWriter) => void): string {
  const chunks: Buffer[] = [];
  const writer = new MessageWriter((chunk) => chunks.push(chunk));
  write(writer);
  writer.flush();
  return Buffer.concat(chunks).toString();
}

test('an array reads as the values that were written', () => {
  const readArray = (text: string, delimiter: string): (string | null)[] => {
    const elements = [...text.slice(1, -1).matchAll(/"((?:[^"\\]|\\[\s\S])*)"|NULL/g)];
    expect(elements.map(([whole]) => whole).join(delimiter)).toBe(text.slice(1, -1));
    return elements.map(([, quoted]) => quoted?.replace(/\\([\s\S])/gu, '$1') ?? null);
  };
  fc.assert(
    fc.property(fc.array(value), fc.constantFrom(',', ';'), (values, delimiter) => {
      const rows = values.map((each) => Tuple.of([null, each === null ? null : bytes(each)]));
      const text = written((writer) => writeArray(writer, rows, 1, delimiter.charCodeAt(0)));
      expect(readArray(text, delimiter)).toEqual(values);
    }),
  );
});

test('a line of COPY reads as the row that was written', () => {
  const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\' };
  const readLine = (line: string) =>
    line
      .replace(/\n$/, '')
      .split('\t')
      .map((field) =>
        field === '\\N' ? null : field.replace(/\\(.)/g, (_, name: string) => escapes[name] ?? ''),
      );
  fc.assert(
    fc.property(fc.array(value, { minLength: 1 }), (values) => {
      const line = written((writer) =>
        writeCopyRow(writer, Tuple.of(values.map((each) => (each === null ? null : bytes(each))))),
      );
      expect(line.slice(0, -1)).not.toMatch(/[\n\r]/);
      expect(readLine(line)).toEqual(values);
    }),
  );
});

test('a key is told from every other one, and its texts come back', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ',', 'é', '😀', '1') });
  const key = fc.tuple(text, text);
  fc.assert(
    fc.property(key, key, (left, right) => {
      const joined = (texts: string[]) => keyOf(Tuple.of([bytes('x'), ...texts.map(bytes)]), [1, 2]) ?? '';
      expect(joined(left) === joined(right)).toBe(left.join('\0') === right.join('\0'));
      expect(keyTexts(joined(left), 2)).toEqual(left);
    }),
  );
  const keyOfOne = (value: Value) => keyOf(Tuple.of([value]), [0]);
  expect(keyOfOne(bytes('ß'))).toBe('Ã\u009f');
  expect(keyTexts('Ã\u009f', 1)).toEqual(['ß']);
  expect(keyOfOne(UNCHANGED)).toBeUndefined();
  expect(keyOfOne(null)).toBeUndefined();
});

test('more keys than can be named', () => {
  const table = { oid: 7, key: [0] } as TargetTable;
  const changed = new ChangedKeys(() => true);
  for (let key = 0; key < MOST_KEYS; key++) changed.add(table, [String(key)]);
  changed.add(table, ['0']);
  expect(changed.toMap().get(7)).toHaveLength(MOST_KEYS);
  changed.add(table, ['one more', 'and another']);
  expect(changed.toMap().get(7)).toBeNull();
  changed.add(table, ['a third']);
  expect(changed.toMap().get(7)).toBeNull();
});

test('keys that nobody asks for are not kept', () => {
  const changed = new ChangedKeys((oid) => oid === 8);
  changed.add({ oid: 7, key: [0] } as TargetTable, ['a']);
  changed.addUnnamed(7);
  changed.add({ oid: 8, key: [0] } as TargetTable, ['b']);
  expect(changed.toMap()).toEqual(new Map([[8, [['b']]]]));
});

test('messages longer than the buffer, and values that are not copied', () => {
  const chunks: Buffer[] = [];
  const writer = new MessageWriter((chunk) => chunks.push(chunk));
  const long = Buffer.alloc(200_000, 'x');
  writer.begin('d');
  const start = writer.lengthToCome();
  for (const byte of long) writer.byte(byte);
  writer.fillLength(start);
  writer.finish();
  writer.beginSized('B', 4 + long.length + 2);
  writer.int32(long.length);
  writer.value(long);
  writer.int16(7);
  writer.flush();
  expect(chunks).toContain(long);
  const all = Buffer.concat(chunks);
  expect(all.readUInt32BE(1)).toBe(4 + 4 + long.length);
  expect(all.readUInt32BE(5)).toBe(long.length);
  const second = all.subarray(1 + 4 + 4 + long.length);
  expect(second.length).toBe(second.readUInt32BE(1) + 1);
  expect(second.readUInt16BE(second.length - 2)).toBe(7);
});
