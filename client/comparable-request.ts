import { isDeepStrictEqual } from 'node:util';
import type { WantedMigration } from './migration-request';

/**
 * What of a request is kept in the workflow's memo, to tell the same command from another one: plain JSON, no secret.
 * A password in clear or sealed is told only as such, for two sealings of one password differ.
 */
export type ComparableRequest = Record<string, unknown>;

/** One option that is not as before; `option` is its path in the options. */
export interface ChangedOption {
  option: string;
  before: unknown;
  now: unknown;
}

/** They belong to the run, not to what a person asked for. */
const NOT_COMPARED = ['searchAttributes', 'openLimits'];

/** What a run that goes on where another stopped must not change: the target holds the effects of the old value. */
const FIXED = ['source.host', 'source.port', 'mode', 'noOwner', 'noPrivileges'];

export function comparableRequest(wanted: WantedMigration): ComparableRequest {
  const hidden = (password: WantedMigration['source']['password']) =>
    password.kind === 'clear' || password.kind === 'sealed' ? { kind: 'sealed' } : password;
  const comparable = {
    ...wanted,
    source: { ...wanted.source, password: hidden(wanted.source.password) },
    target: { ...wanted.target, password: hidden(wanted.target.password) },
    ...(wanted.databases === undefined ? {} : { databases: [...wanted.databases].sort() }),
  };
  // through JSON, as the other one comes from there: undefined fields vanish
  return JSON.parse(JSON.stringify(comparable)) as ComparableRequest;
}

export function changedOptions(before: ComparableRequest, now: ComparableRequest): ChangedOption[] {
  const left = flatten(before);
  const right = flatten(now);
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((option) => !NOT_COMPARED.includes(option))
    .filter((option) => !isDeepStrictEqual(left.get(option), right.get(option)))
    .map((option) => ({ option, before: left.get(option), now: right.get(option) }));
}

export function isFixed({ option }: ChangedOption): boolean {
  return FIXED.includes(option);
}

/** `{a: {b: 1}}` → `a.b` = 1; a list and a password are one value. */
function flatten(value: ComparableRequest, prefix = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [key, inner] of Object.entries(value)) {
    if (isRecord(inner) && key !== 'password') {
      for (const [path, leaf] of flatten(inner, `${prefix}${key}.`)) flat.set(path, leaf);
    } else {
      flat.set(`${prefix}${key}`, inner);
    }
  }
  return flat;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
