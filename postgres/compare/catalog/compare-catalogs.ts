import type { Difference } from '../../../contract';
import type { Catalog, Properties } from './catalog-snapshot';
import { sqlDifference, type MajorPair } from './sql-normal-form';
import { acrossMajors } from './version-rules';

/** How a difference is put into words; each is called with the object's identity. */
export interface CatalogWords {
  missing: (object: string) => string;
  added: (object: string) => string;
  /** What comes before the properties that differ. */
  differs: (object: string) => string;
  /** What each side is called. */
  source: string;
  target: string;
}

const TWO_SIDES: CatalogWords = {
  missing: () => 'It is missing on the target.',
  added: () => 'It exists on the target only.',
  differs: () => 'It differs in',
  source: 'source',
  target: 'target',
};

export interface CatalogCompareOptions {
  /** Owners are not the source's, see `--no-owner`. Default false. */
  ignoreOwners?: boolean;
  /** GRANTs were left out, see `--no-privileges`. Default false. */
  ignorePrivileges?: boolean;
  /** Identities, as in a difference's `object`, that a named rule left out or changed. */
  ignoredIdentities?: ReadonlySet<string>;
  /** Default: those for a source and its target. */
  words?: CatalogWords;
}

/**
 * Every object that is on one side only or reads otherwise there, each once, with what differs on both sides. Where the
 * majors differ, deparsed SQL is compared by `sqlDifference`, and the rules of version-rules apply.
 */
export function compareCatalogs(
  source: Catalog,
  target: Catalog,
  options: CatalogCompareOptions = {},
): Difference[] {
  const majors = { source: source.major, target: target.major };
  const [a, b] = acrossMajors(source, target);
  const identities = [...new Set([...a.keys(), ...b.keys()])].sort();
  const oneSided = identities.filter((identity) => a.has(identity) !== b.has(identity));
  const implied = impliedBy(oneSided);
  const describe = { majors, words: options.words ?? TWO_SIDES };
  return identities
    .filter((identity) => !isIgnored(identity, options) && !implied(identity))
    .flatMap((identity) => differenceOf(identity, a.get(identity), b.get(identity), describe) ?? []);
}

function isIgnored(identity: string, options: CatalogCompareOptions): boolean {
  if (options.ignoreOwners === true && identity.startsWith('owner of ')) return true;
  if (options.ignorePrivileges === true && /^(default )?privileges of /.test(identity)) return true;
  return options.ignoredIdentities?.has(identity) === true;
}

const KINDS_WITH_PARTS = /^(?:materialized view|foreign table|table|view|type) (".*)$/s;

/** What goes with an object that is on one side only needs no line of its own: its owner, its columns… */
function impliedBy(oneSided: string[]): (identity: string) => boolean {
  const objects = new Set(oneSided);
  const names = new Set(oneSided.map((identity) => KINDS_WITH_PARTS.exec(identity)?.[1]));
  return (identity) => {
    if (!objects.has(identity)) return false;
    const owned = /^(?:owner|privileges) of (.*)$/s.exec(identity)?.[1] ?? identity.replace(/ parts$/, '');
    if (owned !== identity && objects.has(owned)) return true;
    const table = /^column (".*)\."(?:[^"]|"")*"$/s.exec(owned)?.[1] ?? / on (".*)$/s.exec(owned)?.[1];
    return table !== undefined && names.has(table);
  };
}

interface Describe {
  majors: MajorPair;
  words: CatalogWords;
}

function differenceOf(
  object: string,
  source: Properties | undefined,
  target: Properties | undefined,
  describe: Describe,
): Difference | undefined {
  const { words } = describe;
  if (source === undefined) return { kind: 'catalog', object, message: words.added(object) };
  if (target === undefined) return { kind: 'catalog', object, message: words.missing(object) };
  const names = [...new Set([...Object.keys(source), ...Object.keys(target)])];
  const differing = names.flatMap(
    (name) => propertyDifference(name, source[name], target[name], describe) ?? [],
  );
  if (differing.length === 0) return undefined;
  return { kind: 'catalog', object, message: `${words.differs(object)} ${differing.join('; ')}.` };
}

function propertyDifference(
  name: string,
  source: string | undefined,
  target: string | undefined,
  { majors, words }: Describe,
): string | undefined {
  if (source === target) return undefined;
  let place: [number, number] | undefined = [0, 0];
  if (source !== undefined && target !== undefined) {
    const isSql = name.startsWith('~') && majors.source !== majors.target;
    place = isSql ? sqlDifference(source, target, majors) : textDifference(source, target);
    if (place === undefined) return undefined;
  }
  const [onSource, onTarget] = [excerpt(source, place[0]), excerpt(target, place[1])];
  return `${name.replace(/^~/, '')}: ${words.source} ${onSource}, ${words.target} ${onTarget}`;
}

function textDifference(source: string, target: string): [number, number] {
  let same = 0;
  while (source[same] === target[same]) same += 1;
  return [same, same];
}

const CHARACTERS_BEFORE = 30;
const CHARACTERS_AFTER = 60;

/** The text around the place where the sides part, on one line. */
function excerpt(text: string | undefined, place: number): string {
  if (text === undefined) return 'nothing';
  const start = Math.max(0, place - CHARACTERS_BEFORE);
  const end = place + CHARACTERS_AFTER;
  const shown = text.slice(start, end).replace(/\s+/g, ' ');
  return `'${start > 0 ? '…' : ''}${shown}${end < text.length ? '…' : ''}'`;
}
