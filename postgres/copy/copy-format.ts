export type CopyFormat = 'binary' | 'text';

/** What the choice of a format depends on; from pg_type. */
export interface ColumnType {
  oid: number;
  /** `typname`; where the type is an array, its element's. */
  name: string;
  /** `b`ase, `c`omposite, `d`omain, `e`num, `r`ange, `m`ultirange. */
  kind: string;
  /** The element's type of an array; 0 where it is none. */
  element: number;
  /** The type, and its element, have send and receive functions. */
  hasBinary: boolean;
}

/**
 * OIDs from here on are given out when a server is built or initialised (genbki, `information_schema`): they differ from
 * major to major, and an array sends its element's. See FirstGenbkiObjectId in src/include/access/transam.h.
 */
const FIRST_UNSTABLE_OID = 10000;

const PORTABLE_KINDS = new Set(['b', 'r', 'm']);

/**
 * Built-in types that never travel in binary, beside all `reg*` types, which are OIDs of a database's own objects:
 * - `xml`: its binary form is declared in the client's encoding, and what is stored is that declaration;
 * - `int2vector`, `oidvector`: their receive functions refuse an empty one, as their send functions give it;
 * - the others have a receive function that refuses everything.
 */
const TEXT_ONLY = new Set([
  'xml',
  'int2vector',
  'oidvector',
  'pg_node_tree',
  'pg_ndistinct',
  'pg_dependencies',
  'pg_mcv_list',
  'pg_brin_bloom_summary',
  'pg_brin_minmax_multi_summary',
]);

/**
 * Binary where every column's type is built in, is the same on both sides and carries no OID of a database's own objects;
 * text otherwise. No binary form of such a type differs between 11 and 18: what newer majors added (infinite `numeric` in
 * 14, infinite `interval` in 17) was no value before.
 *
 * @param source the types of the columns in their order
 * @param target the types of the same columns on the target
 */
export function chooseFormat(source: ColumnType[], target: ColumnType[]): CopyFormat {
  const same = source.every((type, index) => target[index]?.oid === type.oid);
  return same && [...source, ...target].every(isPortable) ? 'binary' : 'text';
}

function isPortable(type: ColumnType): boolean {
  return (
    type.oid < FIRST_UNSTABLE_OID &&
    type.element < FIRST_UNSTABLE_OID &&
    PORTABLE_KINDS.has(type.kind) &&
    type.hasBinary &&
    !type.name.startsWith('reg') &&
    !TEXT_ONLY.has(type.name)
  );
}
