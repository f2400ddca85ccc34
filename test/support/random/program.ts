import * as fc from 'fast-check';
import type { FenceMode, KeylessTables } from '../../../contract';
import type { Major } from '../servers';
import { tableShape, type TableShape } from './shapes';
import { statement, type Statement } from './statements';

/** Its pauses leave room: a snapshot waits for all transactions on its server, and each waits for the others' locks. */
export interface Transaction {
  statements: Statement[];
  isolation: 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';
  /** Each statement in a subtransaction of its own, so that one that fails is undone alone. */
  isGuarded: boolean;
  /** So many of the statements, in the middle, are undone by a savepoint. */
  undone: number;
  isAsynchronous: boolean;
  end: 'commit' | 'rollback' | 'prepare' | 'prepare and rollback';
  /** Milliseconds: before the end, between PREPARE and what ends it, and before the next transaction. */
  pauses: { open: number; prepared: number; after: number };
}

export interface Kill {
  during: 'load' | 'replication' | 'cutover';
  /** Milliseconds after it has begun. */
  after: number;
}

/** A whole migration under a workload: all that is fixed of it. */
export interface Program {
  majors: [source: Major, target: Major];
  tables: TableShape[];
  /** Each repeats its transactions until it is stopped. */
  sessions: Transaction[][];
  kills: Kill[];
  keylessTables: KeylessTables;
  /** Bytes and tables. */
  limits: { partBytes: number; groupBytes: number; groupTables: number; copiesAtOnce: number };
  fence: FenceMode;
  /** How long changes are applied before the first cutover. Milliseconds. */
  replicatesFor: number;
  /** The sessions end before the cutover; else it is the fence that ends them. */
  stopsBeforeCutover: boolean;
  /** The target's user may not set `session_replication_role`. */
  isPlainTarget: boolean;
}

const transaction: fc.Arbitrary<Transaction> = fc.record({
  statements: fc.array(statement, { minLength: 1, maxLength: 7, size: 'max' }),
  isolation: fc.constantFrom('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'),
  isGuarded: fc.constantFrom(true, true, true, false),
  undone: fc.constantFrom(0, 0, 0, 1, 3),
  isAsynchronous: fc.boolean(),
  end: fc.oneof(
    { weight: 8, arbitrary: fc.constant<Transaction['end']>('commit') },
    { weight: 3, arbitrary: fc.constantFrom('rollback', 'prepare', 'prepare and rollback') },
  ),
  pauses: fc.record({
    open: fc.constantFrom(0, 0, 0, 0, 0, 0, 20, 1_000),
    prepared: fc.constantFrom(0, 20, 500),
    after: fc.constantFrom(10, 20, 50),
  }),
});

const kill: fc.Arbitrary<Kill> = fc.record({
  during: fc.constantFrom('load', 'load', 'replication', 'replication', 'cutover'),
  after: fc.integer({ min: 0, max: 2_500 }),
});

/** The smallest cuts the largest table in some parts. */
const BYTES = [512 * 1024, 2 * 1024 ** 2, 64 * 1024 ** 2];

export const program: fc.Arbitrary<Program> = fc.record({
  majors: fc.constantFrom<[Major, Major]>([15, 17], [15, 18], [11, 15], [11, 18], [14, 15], [14, 17]),
  tables: fc.array(tableShape, { minLength: 1, maxLength: 3, size: 'max' }),
  sessions: fc.array(fc.array(transaction, { minLength: 1, maxLength: 10, size: 'max' }), {
    minLength: 1,
    maxLength: 3,
    size: 'max',
  }),
  kills: fc.array(kill, { minLength: 1, maxLength: 3 }),
  keylessTables: fc.constantFrom('append', 'full'),
  limits: fc.record({
    partBytes: fc.constantFrom(...BYTES),
    groupBytes: fc.constantFrom(...BYTES),
    groupTables: fc.constantFrom(1, 2, 500),
    copiesAtOnce: fc.integer({ min: 1, max: 4 }),
  }),
  fence: fc.constantFrom<FenceMode>('read-only', 'revoke-connect'),
  replicatesFor: fc.integer({ min: 1_000, max: 6_000 }),
  stopsBeforeCutover: fc.boolean(),
  isPlainTarget: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
});
